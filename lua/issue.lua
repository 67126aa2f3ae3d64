#!lua
-- issue: make a token under its owner, or give the one that already bears the wanted name.
--
-- KEYS[1] token    hash    the new token's record
-- KEYS[2] owners   hash    the shard's owner states and floors
-- KEYS[3] counter  string  the shard's id counter
-- KEYS[4] index    zset    the owner's tokens
-- KEYS[5] names    hash    the owner's names, each pointing to a digest
-- KEYS[6] user     hash    the owner's user record
-- KEYS[7] named    hash    the token the name was seen to point to; the new one when to none
-- KEYS[8..] newest hash    the owner's newest tokens of this policy, newest first
-- ARGV[1] owner
-- ARGV[2] password first bytes of the hash that was checked; empty: none was
-- ARGV[3] name     field of names to claim; empty: none
-- ARGV[4] seen     digest seen under that name; empty: none
-- ARGV[5] conflict "reuse" or "reject" what lives under that name, or "replace" it: it lives on and
--                  loses its label
-- ARGV[6] top      highest counter seen in the index; 0 none
-- ARGV[7] limit    live tokens of this policy one owner may hold; 9999 any number
-- ARGV[8] whole    "1" when KEYS[8..] are all the owner has of this policy
-- ARGV[9] ceiling  entries the index may hold
-- ARGV[10] head    52 bytes, counter and absolute end still zero
-- ARGV[11] idle_ms sliding life
-- ARGV[12] age_ms  absolute end from now; 0 none
-- ARGV[13] end_ms  absolute end by the clock; 0 none
-- ARGV[14] nonce   nonce and key name for the field c; empty: the token is never shown again
-- ARGV[15] field   pairs of further fields and values follow
-- ARGV[16..] value
-- RETURNS issued counter created_ms expires_ms | reused counter nonce expires_ms
--         | conflict | again what | trim | unknown | inactive | full entries
-- CLOCK   server
-- @include now_ms
-- @include number_at
-- @include bytes_of
-- @include life_of
-- @include nth_live
-- @include bears

local owner, head = ARGV[1], ARGV[10]
local idle, limit, now = tonumber(ARGV[11]), tonumber(ARGV[7]), now_ms()
local floors = owner .. '\0' .. string.sub(head, 2, 2)
local state = redis.call('HMGET', KEYS[2], owner, floors)
if not state[1] then return { 'unknown' } end
if string.sub(state[1], 1, 1) ~= 'a' then return { 'inactive' } end
local password = redis.call('HGET', KEYS[6], 'password') or ''
if string.sub(password, 1, #ARGV[2]) ~= ARGV[2] then return { 'again', 'user' } end
local mark, floor, known = number_at(state[1], 2, 6), 0, 9999
if state[2] then floor, known = number_at(state[2], 1, 5), tonumber(string.sub(state[2], 6, 9)) end
local dead = math.max(mark, floor)

local function ends(h, left)
  if left == math.huge then return 0 end
  if string.sub(h, 3, 3) == 'f' then return number_at(h, 14, 19) end
  return now + left
end

-- Asked again after a lost reply: the same answer.
local mine = redis.call('HMGET', KEYS[1], 'h', 'c')
if mine[1] then
  local left, made = life_of(KEYS[1], mine[1], now), number_at(mine[2], #mine[2] - 5, #mine[2])
  return { 'issued', number_at(mine[1], 5, 9), made, ends(mine[1], left) }
end
local label, letter = string.sub(ARGV[3], 1, 6) == 'label:', string.sub(head, 2, 2)
local without -- the texts of a token that loses its label
if ARGV[3] ~= '' then
  if (redis.call('HGET', KEYS[5], ARGV[3]) or '') ~= ARGV[4] then return { 'again', 'name' } end
  local old = redis.call('HMGET', KEYS[7], 'h', 'd', 'c', 'm', 'o', 'x')
  local named, h = ARGV[4] ~= '' and bears(old, ARGV[3], owner, letter), old[1]
  if named and label then without = string.gsub(old[4], '^label%z[^%z]*%z?', '') end
  if named and not old[2] and string.byte(h, 4) >= 97 then
    if limit < known then return { 'trim' } end
    local left, other = life_of(KEYS[7], h, now), string.sub(h, 2, 2) ~= letter
    local slides, stop = string.sub(h, 3, 3) == 's' and idle > 0, number_at(h, 14, 19)
    if number_at(h, 5, 9) > (other and mark or dead) and left > 0 then
      if other or ARGV[5] == 'reject' then return { 'conflict' } end
      if slides then left = stop > 0 and math.min(idle, stop - now) or idle end
      -- One that its end leaves less than an idle time is not worth handing out, without a label.
      if ARGV[5] ~= 'replace' and (not slides or left == idle or label) then
        if slides then redis.call('PEXPIRE', KEYS[7], left + number_at(h, 10, 13) * 1000) end
        return { 'reused', number_at(h, 5, 9), old[3] or '', ends(h, left) }
      end
    end
  end
end
local entries = redis.call('ZCARD', KEYS[4])
if entries >= tonumber(ARGV[9]) then return { 'full', entries } end
if limit < 9999 then
  local over = 0
  if limit > 0 then
    local unseen = redis.call('ZREVRANGEBYSCORE', KEYS[4], '+inf', '(' .. ARGV[6], 'WITHSCORES')
    over = nth_live(owner, unseen, ARGV[6], letter, 8, limit, dead, now, number_at, life_of)
    if over == 0 and ARGV[8] ~= '1' then return { 'again', 'more' } end
  end
  floor = math.max(floor, over)
end

local counter, stop = redis.call('INCR', KEYS[3]), tonumber(ARGV[13])
local age, life = tonumber(ARGV[12]), string.sub(head, 3, 3)
if age > 0 and (stop == 0 or now + age < stop) then stop = now + age end
head = string.sub(head, 1, 4) .. bytes_of(counter, 5) .. string.sub(head, 10, 13)
  .. bytes_of(stop, 6) .. string.sub(head, 20)
local left = life == 's' and idle or math.huge
if life ~= 'n' and stop > 0 then left = math.min(left, stop - now) end
redis.call('HSET', KEYS[1], 'h', head, 'o', owner, 'c', ARGV[14] .. bytes_of(now, 6))
for i = 15, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
if life ~= 'n' then
  redis.call('PEXPIRE', KEYS[1], math.max(left, 0) + number_at(head, 10, 13) * 1000)
end
local digest = string.sub(KEYS[1], -20)
redis.call('ZADD', KEYS[4], counter, digest .. string.sub(head, 2, 2))
if ARGV[3] ~= '' then redis.call('HSET', KEYS[5], ARGV[3], digest) end
if without then redis.call('HSET', KEYS[7], 'm', without) end
-- Without a limit, too, where a floor is known: a limit that comes back must look at this token.
if limit < 9999 or known < 9999 then
  if limit == 0 then floor = counter end
  redis.call('HSET', KEYS[2], floors, bytes_of(floor, 5) .. string.format('%04d', limit))
end
return { 'issued', counter, now, ends(head, left) }

#!lua
-- import: make a token whose text was not made here; a dead one of the same owner gives way.
--
-- KEYS[1] token    hash    the new token's record; maybe somebody's alias
-- KEYS[2] owners   hash    the shard's owner states and floors
-- KEYS[3] counter  string  the shard's id counter
-- KEYS[4] index    zset    the owner's tokens
-- KEYS[5] user     hash    the owner's user record
-- ARGV[1] owner
-- ARGV[2] head     52 bytes, counter and absolute end still zero
-- ARGV[3] idle_ms  sliding life
-- ARGV[4] end_ms   absolute end by the clock, also in the past; 0 none
-- ARGV[5] age_ms   absolute end from now; 0 none
-- ARGV[6] made_ms  when it was made, by the clock; 0 now
-- ARGV[7] nonce    nonce and key name for the field c; empty: the token is never shown again
-- ARGV[8] ceiling  entries the index may hold
-- ARGV[9] password first bytes of the hash that was checked; empty: none was
-- ARGV[10] active   "1" when a disabled owner gets none, as one who moves in may
-- ARGV[11] seen     shard and attempt of an alias there that was seen to lead nowhere; empty
-- ARGV[12] field    pairs of further fields and values follow
-- ARGV[13..] value
-- RETURNS issued counter created_ms expires_ms left_ms | exists left_ms | conflict | unknown
--         | conflict shard attempt | inactive | again what | full entries
-- left_ms is -1 where only its use or nothing ends it.
-- CLOCK   server
-- @include now_ms
-- @include number_at
-- @include bytes_of
-- @include life_of

local owner, head, stop = ARGV[1], ARGV[2], tonumber(ARGV[4])
local floors = owner .. '\0' .. string.sub(head, 2, 2)
local state = redis.call('HMGET', KEYS[2], owner, floors)
if not state[1] then return { 'unknown' } end
if ARGV[10] == '1' and string.sub(state[1], 1, 1) ~= 'a' then return { 'inactive' } end
local password = redis.call('HGET', KEYS[5], 'password') or ''
if string.sub(password, 1, #ARGV[9]) ~= ARGV[9] then return { 'again', 'user' } end
local now = now_ms()
local old = redis.call('HMGET', KEYS[1], 'h', 'o', 'c', 'd', 'a', 'k')
-- The text names this shard, and somebody of another has it; only what was seen is taken over.
if old[5] and old[5] .. (old[6] or '') ~= ARGV[11] then
  return { 'conflict', old[5], old[6] or '' }
end
if old[1] then
  if old[2] ~= owner then return { 'conflict' } end
  local counter, c = number_at(old[1], 5, 9), old[3]
  local ends = number_at(old[1], 14, 19)
  local left = string.sub(old[1], 3, 3) == 'f' and math.max(ends - now, 0) or -1
  -- Asked again after a lost reply: the same answer.
  if ARGV[7] ~= '' and string.sub(c, 1, #ARGV[7]) == ARGV[7] then
    return { 'issued', counter, number_at(c, #c - 5, #c), ends, left }
  end
  local floor = state[2] and number_at(state[2], 1, 5) or 0
  local dead = old[4] or counter <= math.max(number_at(state[1], 2, 6), floor)
  if not dead and life_of(KEYS[1], old[1], now) > 0 then return { 'exists', left } end
end
local entries = redis.call('ZCARD', KEYS[4])
if entries >= tonumber(ARGV[8]) then return { 'full', entries } end

if old[1] then
  redis.call('ZREM', KEYS[4], string.sub(KEYS[1], -20) .. string.sub(old[1], 2, 2))
end
redis.call('DEL', KEYS[1])
local counter, made = redis.call('INCR', KEYS[3]), tonumber(ARGV[6])
if made == 0 then made = now end
local age = tonumber(ARGV[5])
if age > 0 and (stop == 0 or now + age < stop) then stop = now + age end
head = string.sub(head, 1, 4) .. bytes_of(counter, 5) .. string.sub(head, 10, 13)
  .. bytes_of(stop, 6) .. string.sub(head, 20)
redis.call('HSET', KEYS[1], 'h', head, 'o', owner, 'c', ARGV[7] .. bytes_of(made, 6))
for i = 12, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
local life, ends = string.sub(head, 3, 3), stop
if life ~= 'n' then
  local left = life == 's' and tonumber(ARGV[3]) or math.huge
  if stop > 0 then left = math.min(left, stop - now) end
  if life == 's' then ends = now + left end
  redis.call('PEXPIRE', KEYS[1], math.max(left, 0) + number_at(head, 10, 13) * 1000)
end
redis.call('ZADD', KEYS[4], counter, string.sub(KEYS[1], -20) .. string.sub(head, 2, 2))
-- A limit that comes back must look at this token: the next verify sees to it.
if state[2] then redis.call('HSET', KEYS[2], floors, string.sub(state[2], 1, 5) .. '9999') end
return { 'issued', counter, made, ends, life == 'f' and math.max(stop - now, 0) or -1 }

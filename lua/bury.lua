#!lua flags=allow-oom
-- bury: write down why an owner's dead tokens are dead, and tidy up behind them: TTL, index, names.
--
-- KEYS[1] owners    hash  the shard's owner states and floors
-- KEYS[2] index     zset  the owner's tokens
-- KEYS[3] names     hash  the owner's names
-- KEYS[4..] tokens  hash  at most 200 a call, those of the index first
-- ARGV[1] owner
-- ARGV[2] indexed   how many of the tokens are entries of the index
-- ARGV[3] room      letter of the policy whose expired tokens go from the index, too; empty: none
-- ARGV[4..] entry   for each token its index entry, or the name that points to it
-- RETURNS ok removed
-- CLOCK   server; only to make room
-- @include now_ms
-- @include number_at
-- @include life_of

local removed, owner, now = 0, ARGV[1], ARGV[3] ~= '' and now_ms()
local state = redis.call('HGET', KEYS[1], owner)
local floors = {}

local function floor_of(letter)
  if not floors[letter] then
    local known = redis.call('HGET', KEYS[1], owner .. '\0' .. letter)
    floors[letter] = known and number_at(known, 1, 5) or 0
  end
  return floors[letter]
end

-- Why a token is dead, in verify's order; nil while it is not.
local function death(h, reason)
  local counter = number_at(h, 5, 9)
  if reason then return reason end
  if counter <= floor_of(string.sub(h, 2, 2)) then return 'evicted' end
  if not state or counter <= number_at(state, 2, 6) then return 'revoked' end
end

for i = 4, #KEYS do
  local entry = ARGV[i]
  local token = redis.call('HMGET', KEYS[i], 'h', 'd', 'o')
  -- Somebody else of this shard may have the place by now: then the entry leads nowhere.
  local h = token[3] == owner and token[1]
  if h and i - 3 <= tonumber(ARGV[2]) and string.sub(h, 2, 2) ~= string.sub(entry, -1) then
    h = nil
  end
  if i - 3 > tonumber(ARGV[2]) then
    -- A name may point elsewhere by now; only one that still points to what is gone goes.
    if not h and redis.call('HGET', KEYS[3], entry) == string.sub(KEYS[i], -20) then
      removed = removed + redis.call('HDEL', KEYS[3], entry)
    end
  elseif not h then
    removed = removed + redis.call('ZREM', KEYS[2], entry)
  else
    local reason = death(h, token[2])
    if reason then
      -- The reason first: with its life cut to the grave it would read as expired.
      redis.call('HSET', KEYS[i], 'd', reason)
      local pttl, grave = redis.call('PTTL', KEYS[i]), number_at(h, 10, 13) * 1000
      if pttl < 0 or pttl > grave then redis.call('PEXPIRE', KEYS[i], grave) end
      removed = removed + redis.call('ZREM', KEYS[2], entry)
    elseif string.sub(entry, -1) == ARGV[3] and life_of(KEYS[i], h, now) <= 0 then
      removed = removed + redis.call('ZREM', KEYS[2], entry)
    end
  end
end
return { 'ok', removed }

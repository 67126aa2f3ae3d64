#!lua
-- claim: hold the place of a token whose text names another shard than its owner's.
--
-- KEYS[1] alias   hash  where the text says that the record is
-- ARGV[1] shard   the two bytes of the shard where it is
-- ARGV[2] id      of this attempt, until the record is made; empty: it is made
-- ARGV[3] seen    the shard that the alias was seen to name and where no such record is; empty
-- ARGV[4] seen_id the attempt that was seen beside it; empty
-- ARGV[5] ttl_ms  how long the alias is needed at least; 0 no end
-- RETURNS ok | conflict shard id | exists
-- CLOCK   none

local place = redis.call('HMGET', KEYS[1], 'h', 'a', 'k')
local shard, id = place[2], place[3] or ''
if place[1] then return { 'exists' } end
-- Only what was seen is taken over: meanwhile somebody may have made his record.
if shard and shard ~= ARGV[1] and (shard ~= ARGV[3] or id ~= ARGV[4]) then
  return { 'conflict', shard, id }
end
local left = shard == ARGV[1] and redis.call('PTTL', KEYS[1]) or 0
redis.call('HSET', KEYS[1], 'a', ARGV[1])
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], 'k')
else
  redis.call('HSET', KEYS[1], 'k', ARGV[2])
end
if ARGV[5] == '0' then
  redis.call('PERSIST', KEYS[1])
elseif left >= 0 and left < tonumber(ARGV[5]) then
  redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[5]))
end
return { 'ok' }

#!lua
-- claim: hold the place of a token whose text names another shard than its owner's.
--
-- KEYS[1] alias   hash  where the text says that the record is
-- ARGV[1] shard   the two bytes of the shard where it is
-- ARGV[2] seen    the shard that the alias was seen to name and where no such record is; empty
-- ARGV[3] ttl_ms  how long the alias is needed at least; 0 no end
-- RETURNS ok | conflict shard | exists
-- CLOCK   none

local place = redis.call('HMGET', KEYS[1], 'h', 'a')
if place[1] then return { 'exists' } end
if place[2] and place[2] ~= ARGV[1] and place[2] ~= ARGV[2] then
  return { 'conflict', place[2] }
end
local left = place[2] == ARGV[1] and redis.call('PTTL', KEYS[1]) or 0
redis.call('HSET', KEYS[1], 'a', ARGV[1])
if ARGV[3] == '0' then
  redis.call('PERSIST', KEYS[1])
elseif left >= 0 and left < tonumber(ARGV[3]) then
  redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[3]))
end
return { 'ok' }

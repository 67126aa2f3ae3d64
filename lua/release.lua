#!lua flags=allow-oom
-- release: let an alias end, if it still is one and leads where it did.
--
-- KEYS[1] alias   hash  where a token's text says that the record is
-- ARGV[1] shard   the two bytes of the shard where it is, or was
-- ARGV[2] end_ms  by the clock; 0 now
-- ARGV[3] grave_ms how much longer it stays
-- RETURNS ok now_ms | unknown
-- CLOCK   server
-- @include now_ms

local place = redis.call('HMGET', KEYS[1], 'h', 'a')
-- Meanwhile the place may be somebody else's, or hold his record.
if place[1] or place[2] ~= ARGV[1] then return { 'unknown' } end
local now = now_ms()
redis.call('PEXPIRE', KEYS[1], math.max(tonumber(ARGV[2]) - now, 0) + tonumber(ARGV[3]))
return { 'ok', now }

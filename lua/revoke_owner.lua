#!lua flags=allow-oom
-- revoke_owner: kill every token of one owner with one write, by raising the owner's mark.
--
-- KEYS[1] owners   hash    the shard's owner states and floors
-- KEYS[2] counter  string  the shard's id counter
-- ARGV[1] owner
-- RETURNS ok mark | unknown
-- CLOCK   none
-- @include bytes_of

local state = redis.call('HGET', KEYS[1], ARGV[1])
if not state then return { 'unknown' } end
local mark = tonumber(redis.call('GET', KEYS[2]) or 0)
redis.call('HSET', KEYS[1], ARGV[1], string.sub(state, 1, 1) .. bytes_of(mark, 5))
return { 'ok', mark }

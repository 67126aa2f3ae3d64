-- What the peers run in Redis, one call a request: check the binding, slide the end, note the use.
--
-- KEYS[1] hash   user, address, agent, used (seconds since the epoch)
-- ARGV[1] address, ARGV[2] agent, ARGV[3] life in ms, ARGV[4] seconds between two notes
-- RETURNS the user's name, or nil when the token does not pass

local token = redis.call('HMGET', KEYS[1], 'user', 'address', 'agent', 'used')
if not token[1] or token[2] ~= ARGV[1] or token[3] ~= ARGV[2] then return nil end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local now = tonumber(redis.call('TIME')[1])
if now - tonumber(token[4]) >= tonumber(ARGV[4]) then
  redis.call('HSET', KEYS[1], 'used', now)
end
return token[1]

#!lua
-- amend: change a token's end, flags or texts; may revive one that expired at a fixed end.
--
-- KEYS[1] token   hash  the token record
-- KEYS[2] owners  hash  the shard's owner states and floors
-- ARGV[1] owner   whom the caller saw it belong to
-- ARGV[2] seen    what he saw of it (lib/unlike.lua); "" when it does not matter
-- ARGV[3] life    "n" never ends, "f" ends at end_ms, "s" slides until end_ms, "" as it is
-- ARGV[4] end_ms  absolute end by the clock; 0 none
-- ARGV[5] flags   "w" or "r", "+" enabled or "-" disabled; what is not named stays as it is
-- ARGV[6] field   pairs of further fields and values follow; an empty value removes the field
-- ARGV[7..] value
-- RETURNS ok expires_ms | unknown | revoked | evicted | expired | again
-- CLOCK   server
-- @include now_ms
-- @include number_at
-- @include bytes_of
-- @include life_of
-- @include unlike

local token = redis.call('HMGET', KEYS[1], 'h', 'o', 'd', 'm', 'n')
local h, owner = token[1], token[2]
if not h or owner ~= ARGV[1] then return { 'unknown' } end
local state = redis.call('HMGET', KEYS[2], owner, owner .. '\0' .. string.sub(h, 2, 2))
if not state[1] then return { 'unknown' } end
local counter = number_at(h, 5, 9)
if token[3] == 'evicted' then return { 'evicted' } end
if token[3] or counter <= number_at(state[1], 2, 6) then return { 'revoked' } end
if state[2] and counter <= number_at(state[2], 1, 5) then return { 'evicted' } end
local now = now_ms()
local left = string.sub(h, 3, 3) == 's' and life_of(KEYS[1], h, now) or 0
if string.sub(h, 3, 3) == 's' and left <= 0 then return { 'expired' } end
if unlike(ARGV[2], h, token[4], token[5]) then return { 'again' } end

local life, stop, flag = ARGV[3], number_at(h, 14, 19), string.sub(h, 4, 4)
if life ~= '' then stop = life == 'n' and 0 or tonumber(ARGV[4]) end
local write = string.match(ARGV[5], '[wr]') or string.lower(flag)
local enabled = string.match(ARGV[5], '[+-]') or (flag == string.lower(flag) and '+' or '-')
local head = string.sub(h, 1, 2) .. (life ~= '' and life or string.sub(h, 3, 3))
  .. (enabled == '-' and string.upper(write) or write) .. string.sub(h, 5, 13)
  .. bytes_of(stop, 6) .. string.sub(h, 20)
redis.call('HSET', KEYS[1], 'h', head)
for i = 6, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
local grave = number_at(h, 10, 13) * 1000
if life == 'n' then
  redis.call('PERSIST', KEYS[1])
elseif life == 'f' or (life == 's' and stop > 0 and stop - now < left) then
  redis.call('PEXPIRE', KEYS[1], math.max(stop - now, 0) + grave)
end
return { 'ok', stop }

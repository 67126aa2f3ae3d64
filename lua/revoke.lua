#!lua flags=allow-oom
-- revoke: kill one token for good; it goes on saying why for the length of its grave.
--
-- KEYS[1] token  hash  the token record
-- KEYS[2] index  zset  the owner's tokens
-- ARGV[1] owner  whom the caller saw it belong to
-- ARGV[2] seen   what he saw of it (lib/unlike.lua); left out when it does not matter
-- RETURNS ok counter letter | unknown | revoked | again
-- CLOCK   none
-- @include number_at
-- @include unlike

local token = redis.call('HMGET', KEYS[1], 'h', 'o', 'd', 'm', 'n')
local h = token[1]
if not h or token[2] ~= ARGV[1] then return { 'unknown' } end
if token[3] == 'revoked' then return { 'revoked' } end
if unlike(ARGV[2] or '', h, token[4], token[5]) then return { 'again' } end

local letter = string.sub(h, 2, 2)
local pttl, grave = redis.call('PTTL', KEYS[1]), number_at(h, 10, 13) * 1000
redis.call('HSET', KEYS[1], 'd', 'revoked')
if pttl < 0 or pttl > grave then redis.call('PEXPIRE', KEYS[1], grave) end
redis.call('ZREM', KEYS[2], string.sub(KEYS[1], -20) .. letter)
return { 'ok', number_at(h, 5, 9), letter }

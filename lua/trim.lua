#!lua flags=allow-oom
-- trim: hold an owner to a limit that was lowered, by raising the floor of one policy.
--
-- KEYS[1] owners    hash  the shard's owner states and floors
-- KEYS[2] index     zset  the owner's tokens
-- KEYS[3..] newest  hash  the owner's newest tokens of this policy, newest first
-- ARGV[1] owner
-- ARGV[2] letter    of the policy
-- ARGV[3] limit     live tokens of this policy one owner may hold
-- ARGV[4] top       highest counter seen in the index; 0 none
-- ARGV[5] whole     "1" when KEYS[3..] are all the owner has of this policy
-- RETURNS ok floor | unknown | again what
-- CLOCK   server
-- @include now_ms
-- @include number_at
-- @include bytes_of
-- @include life_of
-- @include nth_live

local floors, limit = ARGV[1] .. '\0' .. ARGV[2], tonumber(ARGV[3])
local state = redis.call('HMGET', KEYS[1], ARGV[1], floors)
if not state[1] then return { 'unknown' } end

local floor = state[2] and number_at(state[2], 1, 5) or 0
local dead = math.max(number_at(state[1], 2, 6), floor)
local unseen = redis.call('ZREVRANGEBYSCORE', KEYS[2], '+inf', '(' .. ARGV[4], 'WITHSCORES')
local over = nth_live(ARGV[1], unseen, ARGV[4], ARGV[2], 3, limit + 1, dead, now_ms(),
  number_at, life_of)
if over == 0 and ARGV[5] ~= '1' then return { 'again', 'more' } end
floor = math.max(floor, over)
redis.call('HSET', KEYS[1], floors, bytes_of(floor, 5) .. string.format('%04d', limit))
return { 'ok', floor }

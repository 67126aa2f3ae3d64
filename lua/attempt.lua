#!lua
-- attempt: reserve one guess in a login guard bucket before it is made, or give one back.
--
-- KEYS[1] bucket    hash  n guesses counted, u no guess before this time
-- ARGV[1] limit     guesses that are free
-- ARGV[2] window_ms the bucket is forgotten after this time without a guess
-- ARGV[3] first_ms  wait after the last free guess; doubles with each further one
-- ARGV[4] max_ms    longest wait
-- ARGV[5] own       empty: reserve. Else: give back the guess whose reservation answered this
-- ARGV[6] before    and this
-- RETURNS ok until_ms before_ms guesses | wait retry_ms
-- CLOCK   server
-- @include now_ms

local bucket = redis.call('HMGET', KEYS[1], 'n', 'u')
local guesses, until_ms = tonumber(bucket[1] or 0), tonumber(bucket[2] or 0)
local limit = tonumber(ARGV[1])

if ARGV[5] ~= '' then
  if guesses <= 1 then
    redis.call('DEL', KEYS[1])
    return { 'ok', 0, 0, 0 }
  end
  -- The wait that came with this guess goes with it, unless a later guess set another.
  if until_ms == tonumber(ARGV[5]) then
    redis.call('HSET', KEYS[1], 'u', string.format('%.0f', tonumber(ARGV[6])))
  end
  redis.call('HSET', KEYS[1], 'n', guesses - 1)
  return { 'ok', 0, 0, guesses - 1 }
end

local now, wait = now_ms(), 0
if now < until_ms then return { 'wait', until_ms - now } end
guesses = guesses + 1
if guesses >= limit then
  wait = math.min(tonumber(ARGV[3]) * 2 ^ math.min(guesses - limit, 30), tonumber(ARGV[4]))
end
local own = wait > 0 and now + wait or until_ms
redis.call('HSET', KEYS[1], 'n', guesses, 'u', string.format('%.0f', own))
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[2]) + wait)
return { 'ok', own, until_ms, guesses }

#!lua
-- attempt: reserve one guess in a login guard bucket before it is made, or settle one after.
--
-- KEYS[1] bucket    hash  n guesses counted, p of them undecided, t time of the latest,
--                         u no guess before this time
-- ARGV[1] limit     guesses that are free
-- ARGV[2] window_ms the bucket is forgotten after this time without a guess
-- ARGV[3] first_ms  wait after the last free guess; doubles with each further one
-- ARGV[4] max_ms    longest wait
-- ARGV[5] settle    "" reserve, "good" the guess does not count, "bad" it does
-- ARGV[6] own       settling: the until_ms its reservation answered
-- ARGV[7] before    settling: and the before_ms
-- RETURNS ok until_ms before_ms guesses | wait retry_ms | busy
-- guesses, settling, are those that are decided.
-- CLOCK   server
-- @include now_ms

local bucket = redis.call('HMGET', KEYS[1], 'n', 'u', 'p', 't')
local guesses, until_ms = tonumber(bucket[1] or 0), tonumber(bucket[2] or 0)
local pending, latest = tonumber(bucket[3] or 0), tonumber(bucket[4] or 0)
local limit, settle = tonumber(ARGV[1]), ARGV[5]

if settle ~= '' then
  if guesses == 0 then return { 'ok', 0, 0, 0 } end
  if settle == 'good' then
    guesses = guesses - 1
    if guesses == 0 then
      redis.call('DEL', KEYS[1])
      return { 'ok', 0, 0, 0 }
    end
    -- The wait that came with this guess goes with it, unless a later guess set another.
    if until_ms == tonumber(ARGV[6]) then until_ms = tonumber(ARGV[7]) end
    if guesses < limit then until_ms = 0 end
  end
  pending = math.max(pending - 1, 0)
  redis.call('HSET', KEYS[1], 'n', guesses, 'p', pending, 'u', string.format('%.0f', until_ms))
  return { 'ok', until_ms, 0, guesses - pending }
end

local now, wait = now_ms(), 0
if now < until_ms then
  -- Undecided guesses may all turn out right: whoever asks now comes again in a moment. A guess
  -- that stays undecided for long was lost with its node and counts as wrong.
  if pending > 0 and now - latest < 5000 then return { 'busy' } end
  return { 'wait', until_ms - now }
end
guesses = guesses + 1
if guesses >= limit then
  wait = math.min(tonumber(ARGV[3]) * 2 ^ math.min(guesses - limit, 30), tonumber(ARGV[4]))
end
local own = wait > 0 and now + wait or until_ms
redis.call('HSET', KEYS[1], 'n', guesses, 'p', pending + 1, 't', string.format('%.0f', now),
  'u', string.format('%.0f', own))
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[2]) + wait)
return { 'ok', own, until_ms, guesses }

#!lua flags=allow-oom
-- verify: decide whether one use of a token passes and, only then, slide its expiry.
--
-- KEYS[1] token    hash  the token record, or the alias of one
-- KEYS[2] owners   hash  the shard's owner states and floors
-- ARGV[1] address  16 bytes; empty when the client's address is not known
-- ARGV[2] agent    16 bytes, digest of the user agent
-- ARGV[3] write    "1" when the request may change something
-- ARGV[4] policies interval_ms(13), then per policy: letter idle_ms(13) step_ms(13) limit(4)
--                  address level(1) agent level(1); levels 0 off, 1 log, 2 enforce
-- RETURNS ok tag head owner remaining_ms gap_ms mismatch | unknown tag | moved tag shard
--         | mismatch tag | revoked tag | evicted tag | expired tag | inactive tag | network tag
--         | read_only tag | no_policy tag | trim tag owner letter
-- CLOCK   server
-- @include now_ms
-- @include number_at
-- @include bytes_of
-- @include life_of

local tag = string.sub(KEYS[1], -20, -17)
local token = redis.call('HMGET', KEYS[1], 'h', 'o', 'l', 'n', 'd', 'a')
local h, owner = token[1], token[2]
if not h then
  if token[6] then return { 'moved', tag, token[6] } end
  return { 'unknown', tag }
end
local letter = string.sub(h, 2, 2)
local state = redis.call('HMGET', KEYS[2], owner, owner .. '\0' .. letter)
if not state[1] then return { 'unknown', tag } end
local at = string.find(ARGV[4], letter, 14, true)
if not at or string.sub(h, 1, 1) ~= '1' then return { 'no_policy', tag } end

local mismatch, size = 0, string.byte(h, 20)
local by_address, by_agent = string.byte(ARGV[4], at + 31, at + 32)
if by_address > 48 and string.sub(h, 21, 20 + size) ~= string.sub(ARGV[1], 1, size) then
  if by_address == 50 then return { 'mismatch', tag } end
  mismatch = 1
end
local agent = string.sub(h, 37, 52)
if by_agent > 48 and agent ~= ARGV[2] and agent ~= string.rep('\0', 16) then
  if by_agent == 50 then return { 'mismatch', tag } end
  mismatch = mismatch + 2
end

if token[5] then
  if token[5] == 'evicted' then return { 'evicted', tag } end
  return { 'revoked', tag }
end
local counter = number_at(h, 5, 9)
local limit, known = tonumber(string.sub(ARGV[4], at + 27, at + 30)), 9999
if state[2] then
  known = tonumber(string.sub(state[2], 6, 9))
  if counter <= number_at(state[2], 1, 5) then return { 'evicted', tag } end
end
if limit < known then return { 'trim', tag, owner, letter } end
local now = now_ms()
local left = life_of(KEYS[1], h, now)
if left <= 0 then return { 'expired', tag } end
if string.sub(state[1], 1, 1) ~= 'a' then return { 'inactive', tag } end
if counter <= number_at(state[1], 2, 6) then return { 'revoked', tag } end

-- Networks: 17 bytes each, prefix bits and address; an unknown address is in none of them.
local inside = not token[4]
for i = 1, token[4] and #ARGV[1] == 16 and #token[4] or 0, 17 do
  local bits = string.byte(token[4], i)
  local whole, rest = math.floor(bits / 8), 2 ^ (8 - bits % 8)
  inside = inside or (string.sub(token[4], i + 1, i + whole) == string.sub(ARGV[1], 1, whole)
    and (rest == 256 or math.floor(string.byte(token[4], i + whole + 1) / rest)
      == math.floor(string.byte(ARGV[1], whole + 1) / rest)))
end
if not inside then return { 'network', tag } end
if ARGV[3] == '1' and string.sub(h, 4, 4) ~= 'w' then return { 'read_only', tag } end

local idle, gap = tonumber(string.sub(ARGV[4], at + 1, at + 13)), -1
if string.sub(h, 3, 3) == 's' and idle > 0 then
  gap = math.max(idle - left, 0)
  local stop, slid = number_at(h, 14, 19), idle
  if stop > 0 and stop - now < slid then slid = stop - now end
  if left > slid or slid - left >= tonumber(string.sub(ARGV[4], at + 14, at + 26)) then
    redis.call('PEXPIRE', KEYS[1], slid + number_at(h, 10, 13) * 1000)
    left = slid
  end
end
local used = token[3] and number_at(token[3], 1, 6)
if not used or math.abs(now - used) >= tonumber(string.sub(ARGV[4], 1, 13)) then
  redis.call('HSET', KEYS[1], 'l', bytes_of(now, 6))
end
return { 'ok', tag, h, owner, left == math.huge and -1 or left, gap, mismatch }

#!lua flags=allow-oom
-- verify: decide whether one use of a token passes and, only then, slide its expiry.
--
-- KEYS[1] token    hash  the token record, or the alias of one
-- KEYS[2] owners   hash  the shard's owner states and floors
-- ARGV[1] seen     the user agent's digest (16 bytes), then the client's address (16 bytes; none
--                  when it is not known): as in the head, where both are bound whole
-- ARGV[2] rules    numbers big-endian: "w" when the request may change something, else "r";
--                  the caller's clock in ms (6); interval_ms (6, all ones:
--                  never noted); how many policies (1); their
--                  letters; then for each: idle_ms (6), step_ms (6), limit (2), address level
--                  (1), agent level (1); levels 0 off, 1 log, 2 enforce
-- RETURNS ok tag kind counter owner remaining_ms gap_ms mismatch touch_ms | unknown tag
--         | moved tag shard | mismatch tag | revoked tag | evicted tag | expired tag
--         | inactive tag | disabled tag | network tag | read_only tag | no_policy tag
--         | trim tag owner letter
-- kind is bytes 2-4 of the head: policy letter, life, write flag; touch_ms until a use would be
-- noted, at least.
-- CLOCK   server; TIME is called only where it matters, and the caller's clock just says when
--         the last use may be a while ago
--
-- Every request runs this: one string.byte for many numbers, no closure, no text to parse.

local call, byte, sub = redis.call, string.byte, string.sub
local key, seen, rules = KEYS[1], ARGV[1], ARGV[2]

local tag = sub(key, -20, -17)
local token = call('HMGET', key, 'h', 'o', 'l', 'n', 'd')
local h, owner = token[1], token[2]
if not h then
  local shard = call('HGET', key, 'a')
  if shard then return { 'moved', tag, shard } end
  return { 'unknown', tag }
end
local letter = sub(h, 2, 2)
local state = call('HMGET', KEYS[2], owner, owner .. '\0' .. letter)
if not state[1] then return { 'unknown', tag } end
local layout, _, life, flag, c1, c2, c3, c4, c5, g1, g2, g3, g4, s1, s2, s3, s4, s5, s6, size =
  byte(h, 1, 20)
local want, a1, a2, a3, a4, a5, a6, i1, i2, i3, i4, i5, i6, policies = byte(rules, 1, 14)
local at = string.find(rules, letter, 15, true)
if not at or at > 14 + policies or layout ~= 49 then return { 'no_policy', tag } end
at = 15 + policies + (at - 15) * 16
local d1, d2, d3, d4, d5, d6, e1, e2, e3, e4, e5, e6, l1, l2, by_address, by_agent =
  byte(rules, at, at + 15)

local mismatch = 0
if sub(h, 21, 52) ~= seen then
  if by_address > 0 and sub(h, 21, 20 + size) ~= sub(seen, 17, 16 + size) then
    if by_address == 2 then return { 'mismatch', tag } end
    mismatch = 1
  end
  local agent = sub(h, 37, 52)
  if by_agent > 0 and agent ~= sub(seen, 1, 16) and agent ~= string.rep('\0', 16) then
    if by_agent == 2 then return { 'mismatch', tag } end
    mismatch = mismatch + 2
  end
end

if token[5] then
  if token[5] == 'evicted' then return { 'evicted', tag } end
  return { 'revoked', tag }
end
local counter = (((c1 * 256 + c2) * 256 + c3) * 256 + c4) * 256 + c5
local limit, known = l1 * 256 + l2, 9999
if state[2] then
  local f1, f2, f3, f4, f5, k1, k2, k3, k4 = byte(state[2], 1, 9)
  if counter <= (((f1 * 256 + f2) * 256 + f3) * 256 + f4) * 256 + f5 then
    return { 'evicted', tag }
  end
  known = ((k1 * 10 + k2) * 10 + k3) * 10 + k4 - 53328 -- four times "0"
end
if limit < known then return { 'trim', tag, owner, letter } end

local stop = ((((s1 * 256 + s2) * 256 + s3) * 256 + s4) * 256 + s5) * 256 + s6
local interval = ((((i1 * 256 + i2) * 256 + i3) * 256 + i4) * 256 + i5) * 256 + i6
local used, gone, due, now = token[3], 0, true, nil
if used then
  local u1, u2, u3, u4, u5, u6 = byte(used, 1, 6)
  used = ((((u1 * 256 + u2) * 256 + u3) * 256 + u4) * 256 + u5) * 256 + u6
  gone = ((((a1 * 256 + a2) * 256 + a3) * 256 + a4) * 256 + a5) * 256 + a6 - used
  -- The caller's clock may lag two seconds and nothing comes late by that.
  due = gone >= interval - 2000 or -gone >= interval - 2000
  gone = gone + 2000
end
if due or stop > 0 then
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
  gone = used and now - used or 0
end

-- What is left, as lib/life_of.lua has it.
local grave, left = (((g1 * 256 + g2) * 256 + g3) * 256 + g4) * 1000, call('PTTL', key)
if life == 110 then left = left == -1 and math.huge or 0 -- "n": never
elseif left < 0 then left = 0
elseif life == 102 then left = stop - now -- "f": fixed
else
  left = left - grave
  if stop > 0 and stop - now < left then left = stop - now end
end
if left <= 0 then return { 'expired', tag } end
local active, m1, m2, m3, m4, m5 = byte(state[1], 1, 6)
if active ~= 97 then return { 'inactive', tag } end -- "a"
if counter <= (((m1 * 256 + m2) * 256 + m3) * 256 + m4) * 256 + m5 then
  return { 'revoked', tag }
end
if flag < 97 then return { 'disabled', tag } end -- "W", "R"

if token[4] then
  -- Networks: 17 bytes each, prefix bits and address; the unknown is in none, IPv4 in none of IPv6.
  local address, inside = sub(seen, 17), false
  local least = sub(address, 1, 12) == string.rep('\0', 10) .. '\255\255' and 96 or 0
  for i = 1, #address == 16 and #token[4] or 0, 17 do
    local bits = byte(token[4], i)
    local whole, rest = math.floor(bits / 8), 2 ^ (8 - bits % 8)
    inside = inside or (bits >= least and sub(token[4], i + 1, i + whole) == sub(address, 1, whole)
      and (rest == 256 or math.floor(byte(token[4], i + whole + 1) / rest)
        == math.floor(byte(address, whole + 1) / rest)))
  end
  if not inside then return { 'network', tag } end
end
if want == 119 and flag ~= 119 then return { 'read_only', tag } end -- "w"

local idle, gap = ((((d1 * 256 + d2) * 256 + d3) * 256 + d4) * 256 + d5) * 256 + d6, -1
if life == 115 and idle > 0 then -- "s": slides
  local slid = stop > 0 and stop - now < idle and stop - now or idle
  gap = idle > left and idle - left or 0
  local step = ((((e1 * 256 + e2) * 256 + e3) * 256 + e4) * 256 + e5) * 256 + e6
  if left > slid or slid - left >= step then
    call('PEXPIRE', key, slid + grave)
    left = slid
  end
end
if due and interval < 281474976710655 and (not used or math.abs(now - used) >= interval) then
  local bytes, rest = '', now
  for _ = 1, 6 do
    bytes, rest = string.char(rest % 256) .. bytes, math.floor(rest / 256)
  end
  call('HSET', key, 'l', bytes)
  gone = 0
end
left = left == math.huge and -1 or left
return { 'ok', tag, sub(h, 2, 4), counter, owner, left, gap, mismatch, interval - gone }

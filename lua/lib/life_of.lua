-- The life left of the token at key whose head is h, in ms: 0 or less when it is over,
-- math.huge when it never ends. A key without a TTL is alive only if its head says "never".
local function life_of(key, h, now)
  local pttl, life = redis.call('PTTL', key), string.sub(h, 3, 3)
  if life == 'n' then return pttl == -1 and math.huge or 0 end
  if pttl < 0 then return 0 end
  local b1, b2, b3, b4, b5, b6 = string.byte(h, 14, 19)
  local stop = ((((b1 * 256 + b2) * 256 + b3) * 256 + b4) * 256 + b5) * 256 + b6
  if life == 'f' then return stop - now end
  local g1, g2, g3, g4 = string.byte(h, 10, 13)
  local left = pttl - (((g1 * 256 + g2) * 256 + g3) * 256 + g4) * 1000
  if stop > 0 and stop - now < left then return stop - now end
  return left
end

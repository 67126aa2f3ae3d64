-- The counter of an owner's n-th newest live token of one policy, 0 when there are fewer.
-- unseen: entries and scores that came into the index after the caller looked; they were made a
-- moment ago and are not among KEYS, so they count as alive. KEYS[first..] follow, newest first.
-- above: counters up to it are dead by mark or floor; a counter beyond top is among the unseen.
local function nth_live(owner, unseen, top, letter, first, n, above, now, number, life)
  local live = 0
  for i = 1, #unseen, 2 do
    local counter = tonumber(unseen[i + 1])
    if string.sub(unseen[i], -1) == letter and counter > above then
      live = live + 1
      if live == n then return counter end
    end
  end
  for i = first, #KEYS do
    local f = redis.call('HMGET', KEYS[i], 'h', 'd', 'o')
    if f[1] and not f[2] and f[3] == owner then
      local counter = number(f[1], 5, 9)
      if counter > above and counter <= tonumber(top) and life(KEYS[i], f[1], now) > 0 then
        live = live + 1
        if live == n then return counter end
      end
    end
  end
  return 0
end

-- Redis's clock in milliseconds; called once in a script, since 6.2 and 7.0 do not freeze it.
local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

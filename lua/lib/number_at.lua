-- The big-endian number in bytes first..last of s.
local function number_at(s, first, last)
  local value = 0
  for i = first, last do value = value * 256 + string.byte(s, i) end
  return value
end

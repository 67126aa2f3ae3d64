-- value as that many big-endian bytes.
local function bytes_of(value, size)
  local bytes = ''
  for _ = 1, size do
    bytes = string.char(value % 256) .. bytes
    value = math.floor(value / 256)
  end
  return bytes
end

-- Whether a record is no more what the caller saw: h, m, two NULs, n. Anything will do for "".
local function unlike(seen, h, m, n)
  return seen ~= '' and seen ~= h .. (m or '') .. '\0\0' .. (n or '')
end

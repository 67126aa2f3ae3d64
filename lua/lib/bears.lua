-- Whether a record (its h, d, c, m, o, x) is what the owner's name (issue's ARGV[3]) stands for:
-- where the named token was there may be another by now. A label stands first in m.
local function bears(record, name, owner, letter)
  if not record[1] or record[5] ~= owner then return false end
  local label = string.match(name, '^label:(.*)')
  if not label then return string.sub(record[1], 2, 2) == letter and not record[6] end
  return string.sub((record[4] or '') .. '\0', 1, #label + 7) == 'label\0' .. label .. '\0'
end

#!lua flags=allow-oom
-- set_owner: make, change, disable, enable or delete an owner: state and user record together.
--
-- KEYS[1] user     hash    the user record
-- KEYS[2] owners   hash    the shard's owner states and floors
-- KEYS[3] counter  string  the shard's id counter
-- KEYS[4] names    hash    the owner's names
-- ARGV[1] owner
-- ARGV[2] state    "a" active, "d" disabled, "-" gone, "=" as it is
-- ARGV[3] expect   "new", "any", or "=" and the first bytes the password hash must have
-- ARGV[4] mark     "1" to kill the tokens made so far
-- ARGV[5] letters  of all policies, whose floors go with the owner
-- ARGV[6] now      field of the user record that takes the time; empty: none
-- ARGV[7] field    pairs of fields and values of the user record follow
-- ARGV[8..] value
-- RETURNS ok mark | exists | unknown | changed
-- CLOCK   server
-- @include now_ms
-- @include number_at
-- @include bytes_of

local owner, wanted, expect = ARGV[1], ARGV[2], ARGV[3]
local state = redis.call('HGET', KEYS[2], owner)
if expect == 'new' and state then return { 'exists' } end
if expect ~= 'new' and not state then return { 'unknown' } end
if string.sub(expect, 1, 1) == '=' then
  local password = redis.call('HGET', KEYS[1], 'password') or ''
  if string.sub(password, 1, #expect - 1) ~= string.sub(expect, 2) then return { 'changed' } end
end

if wanted == '-' then
  redis.call('HDEL', KEYS[2], owner)
  for i = 1, #ARGV[5] do
    redis.call('HDEL', KEYS[2], owner .. '\0' .. string.sub(ARGV[5], i, i))
  end
  redis.call('DEL', KEYS[1], KEYS[4])
  return { 'ok', 0 }
end
-- A new owner's mark starts at the present counter: tokens of an earlier user of that name,
-- who may have been deleted, stay dead.
local mark = tonumber(redis.call('GET', KEYS[3]) or 0)
if state and ARGV[4] ~= '1' then mark = number_at(state, 2, 6) end
local flag = wanted
if wanted == '=' then flag = string.sub(state, 1, 1) end
redis.call('HSET', KEYS[2], owner, flag .. bytes_of(mark, 5))
if ARGV[6] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[6], string.format('%.0f', now_ms()))
end
for i = 7, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return { 'ok', mark }

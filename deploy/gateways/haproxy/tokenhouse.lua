-- tokenhouse: ask the gate about a request; let it pass with its owner's headers, or answer it.
--
--     http-request lua.tokenhouse http://127.0.0.1:8000
--
-- Sets txn.tokenhouse to "pass" when the request may go on; whoever uses this has to look, since
-- HAProxy goes on with a request whose script has failed.
--
-- Needs HAProxy 2.6 or newer with Lua, and nothing else: its own HTTP client keeps connections open.

-- Headers of the client that the verdict depends on. Nothing else reaches the gate.
local ASKED = {
  'authorization', 'x-auth-token', 'x-authentication', 'user-agent', 'origin',
  'access-control-request-method',
}
-- What the gate says of who is asking. Copies that the client sent are dropped.
local IDENTITY = {
  'x-auth-user', 'x-auth-token-id', 'x-auth-policy', 'x-auth-scopes', 'x-auth-expires-in',
}
-- What a refused client is told.
local TOLD = { 'www-authenticate', 'retry-after', 'cache-control' }
-- For one try, of which HAProxy 2.6 makes up to four.
local TIMEOUT_MS = 1000

-- HAProxy counts the values of a header from 0, and its client wants them from 1.
local function from_one(values)
  local found, i = {}, 0
  while values and values[i] do
    found[i + 1] = values[i]
    i = i + 1
  end
  return found
end

local function question(txn)
  local sent, headers = txn.http:req_get_headers(), {}
  for _, name in ipairs(ASKED) do
    if sent[name] then headers[name] = from_one(sent[name]) end
  end
  -- HAProxy's client would name itself where the client of this request said nothing.
  headers['user-agent'] = headers['user-agent'] or { '' }
  headers['x-forwarded-method'] = { txn.f:method() }
  headers['x-forwarded-for'] = { txn.f:src() }
  return headers
end

local function answer(txn, status, headers)
  local reply = txn:reply({ status = status })
  for _, name in ipairs(TOLD) do
    if headers[name] then reply:add_header(name, headers[name][0]) end
  end
  txn:done(reply)
end

core.register_action('tokenhouse', { 'http-req' }, function(txn, url)
  for _, name in ipairs(IDENTITY) do txn.http:req_del_header(name) end
  local verdict = core.httpclient():get({
    url = url .. '/authz/forward',
    headers = question(txn),
    timeout = TIMEOUT_MS,
  })
  local status, headers = verdict.status, verdict.headers or {}
  if status == 200 then
    for _, name in ipairs(IDENTITY) do
      if headers[name] then txn.http:req_set_header(name, headers[name][0]) end
    end
    txn:set_var('txn.tokenhouse', 'pass')
  elseif status == 401 or status == 403 or status == 429 then
    answer(txn, status, headers)
  else
    -- The gate could not decide, or could not be asked: never a refusal, never a pass.
    if not headers['retry-after'] then headers['retry-after'] = { [0] = '1' } end
    answer(txn, 503, headers)
  end
end, 1)

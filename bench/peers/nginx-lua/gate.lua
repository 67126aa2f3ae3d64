-- The same gate inside nginx: pooled connections to Redis, one script a request.
-- Debian calls lua-resty-redis and lua-resty-string "nginx.…".
local redis = require 'nginx.redis'
local sha256 = require 'nginx.sha256'
local to_hex = require('nginx.string').to_hex

local LIFE_MS, NOTE_S = 1800000, 60
local IDLE_MS, POOL = 60000, 64

local shared = package.loaded.gate_script
if not shared then
  local file = assert(io.open(os.getenv('VERIFY_LUA')))
  shared = { source = file:read('*a') }
  shared.sha = to_hex(ngx.sha1_bin(shared.source))
  file:close()
  package.loaded.gate_script = shared
end

local scheme, token = (ngx.var.http_authorization or ''):match('^(%S+) (%S+)$')
if not scheme or scheme:lower() ~= 'token' then return ngx.exit(401) end
local hash = sha256:new()
hash:update(token)
local key = 'peer:' .. to_hex(hash:final())

local link = redis:new()
link:set_timeout(1000)
local ok = link:connect('127.0.0.1', tonumber(os.getenv('REDIS_PORT')))
if not ok then return ngx.exit(503) end
local agent = ngx.var.http_user_agent or ''
local user, err = link:evalsha(shared.sha, 1, key, ngx.var.remote_addr, agent, LIFE_MS, NOTE_S)
if not user and err and err:find('NOSCRIPT', 1, true) then
  user, err = link:eval(shared.source, 1, key, ngx.var.remote_addr, agent, LIFE_MS, NOTE_S)
end
if not user then
  ngx.log(ngx.ERR, err)
  return ngx.exit(503)
end
link:set_keepalive(IDLE_MS, POOL)
if user == ngx.null then return ngx.exit(401) end
ngx.header['X-Auth-User'] = user
ngx.header['Content-Length'] = 0
return ngx.exit(200)

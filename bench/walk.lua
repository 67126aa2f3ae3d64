-- For wrk: sends the requests of a file one after the other, again and again, each as it stands
-- there (a line with its length, then its bytes), and prints what came of it as one line of JSON.
-- Arguments: the file; and, when every status is to be compared, the only one that is right.

local requests, threads, at = {}, {}, 0
wrong = 0 -- global, so that done() can ask for it

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  local file = assert(io.open(args[1], 'rb'))
  for line in file:lines() do
    requests[#requests + 1] = file:read(tonumber(line))
  end
  file:close()
  local right = tonumber(args[2])
  if right then
    response = function(status)
      if status ~= right then wrong = wrong + 1 end
    end
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local odd, errors = 0, summary.errors
  for _, thread in ipairs(threads) do odd = odd + thread:get('wrong') end
  io.write(string.format(
    '{"requests":%d,"duration_us":%d,"wrong":%d,"refused":%d,"broken":%d,"late":%d,'
      .. '"p50_us":%d,"p99_us":%d,"p999_us":%d,"max_us":%d}\n',
    summary.requests, summary.duration, odd, errors.status,
    errors.connect + errors.read + errors.write, errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max))
end

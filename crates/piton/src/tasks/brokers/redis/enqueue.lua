-- Creates records, all or none, and then adds messages to lists. A record that exists refuses the call.
-- ARGV: number of records; for each its key, value and time to live in ms; number of lists; for each its key,
-- the number of messages, and the messages.
-- Returns 0, or the position of the first record that exists already, from 1.
local at = 1
local function take()
  at = at + 1
  return ARGV[at - 1]
end

local records = tonumber(take())
for record = 1, records do
  if redis.call('EXISTS', ARGV[at + (record - 1) * 3]) == 1 then return record end
end
for _ = 1, records do
  local key, value, ttl = take(), take(), take()
  redis.call('SET', key, value, 'PX', ttl)
end
for _ = 1, tonumber(take()) do
  local list, messages = take(), tonumber(take())
  -- In parts, because Lua's stack is limited.
  local stop = at + messages
  while at < stop do
    local last = math.min(at + 1000, stop) - 1
    redis.call('LPUSH', list, unpack(ARGV, at, last))
    at = last + 1
  end
end
return 0

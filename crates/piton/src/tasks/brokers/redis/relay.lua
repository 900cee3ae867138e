-- Adds messages to lists in their order, each unless it is remembered as sent, and remembers it.
-- ARGV: the key of what is remembered; how many are remembered; number of messages; for each its id; the key, value and
-- time to live in ms of its record, or three empty texts; the list, and the message.
-- Returns pairs of a position from 1 and why the message was not added: `known` if its record exists already. An error that
-- is not of the list ends the script: those before it were added and are remembered.
local remembered, limit, messages = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local unsent = {}
for position = 1, messages do
  local at = 4 + (position - 1) * 6
  local id, record, list, message = ARGV[at], ARGV[at + 1], ARGV[at + 4], ARGV[at + 5]
  if not redis.call('ZSCORE', remembered, id) then
    if record ~= '' and redis.call('EXISTS', record) == 1 then
      table.insert(unsent, {position, 'known'})
    else
      local added = redis.pcall('LPUSH', list, message)
      if type(added) == 'table' and added.err then
        if not string.find(added.err, 'WRONGTYPE', 1, true) then return added end
        table.insert(unsent, {position, 'Redis: ' .. added.err})
      else
        if record ~= '' then redis.call('SET', record, ARGV[at + 2], 'PX', ARGV[at + 3]) end
        redis.call('ZADD', remembered, now, id)
      end
    end
  end
end
redis.call('ZREMRANGEBYRANK', remembered, 0, -limit - 1)
redis.call('EXPIRE', remembered, 604800)
return unsent

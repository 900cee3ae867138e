-- Puts messages back to the heads of their lists.
-- ARGV: prefix, '1' to count a loss, and for each message: tag, id of the task or '', list, and the message, or '' for
-- the one that is there, which only works with tags of ours.
-- Returns the tags of those that were put back.
local prefix, counts = ARGV[1], ARGV[2] == '1'
local unacked, index = prefix .. 'unacked', prefix .. 'unacked_index'
local restored = {}
for at = 3, #ARGV, 4 do
  local tag, id, list, message = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local value = redis.call('HGET', unacked, tag)
  redis.call('ZREM', index, tag)
  if value then
    redis.call('HDEL', unacked, tag)
    if message == '' then
      local queue = string.match(tag, '^piton:[^:]*:[^:]*:%d+:(.*)$')
      local tail = ', "", ' .. cjson.encode(queue) .. ']'
      message = string.sub(value, 2, -#tail - 1)
    end
    redis.call('RPUSH', list, message)
    if counts and id ~= '' then redis.call('HINCRBY', prefix .. 'piton:losses', id, 1) end
    restored[#restored + 1] = tag
  end
end
return restored

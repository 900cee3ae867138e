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
  if value and message == '' then
    local queue = string.match(tag, '^piton:[^:]*:[^:]*:%d+:(.*)$')
    local tail = ', "", ' .. cjson.encode(queue) .. ']'
    message = string.sub(value, 2, -#tail - 1)
  end
  -- First, because a script is not rolled back: a key that is no list must not lose the message.
  local pushed = value and redis.pcall('RPUSH', list, message)
  if type(pushed) ~= 'table' then redis.call('ZREM', index, tag) end
  if value and type(pushed) ~= 'table' then
    redis.call('HDEL', unacked, tag)
    if counts and id ~= '' then redis.call('HINCRBY', prefix .. 'piton:losses', id, 1) end
    restored[#restored + 1] = tag
  end
end
return restored

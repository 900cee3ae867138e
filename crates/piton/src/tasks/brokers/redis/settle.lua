-- Ends claims. What is no longer claimed under its tag is left alone, with all that comes with it.
-- ARGV: prefix, visibility timeout in s, '1' to acknowledge, number of settlements, and for each:
--   tag, id of the task, action (ack, restore, park), the message to put back or '' for the one that is there,
--   the list (restore) or the new tag (park), the time at which it is due in s (park),
--   key and time to live of the message that is kept, or '' and 0,
--   number of values to set, for each: key, value, time to live in ms, '1' to publish it,
--   number of keys to remove, and the keys,
--   number of tasks to send, for each: key, value and time to live in ms of its record, or '', '' and 0, list, message.
--   One whose record exists was sent before. Without a list the record is stored alone.
-- Returns the positions of settlements that were not applied, from 1.
local prefix, visibility, acknowledges = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
local unacked, index, losses = prefix .. 'unacked', prefix .. 'unacked_index', prefix .. 'piton:losses'
local at = 4
local function take()
  at = at + 1
  return ARGV[at - 1]
end

local function message_of(tag)
  local value = redis.call('HGET', unacked, tag)
  if not value then return nil end
  local queue = string.match(tag, '^piton:[^:]*:[^:]*:%d+:(.*)$')
  local tail = ', "", ' .. cjson.encode(queue) .. ']'
  return string.sub(value, 2, -#tail - 1)
end

local count, fenced, ended = tonumber(take()), {}, {}
local counts_losses = redis.call('HLEN', losses) > 0
for position = 1, count do
  local tag, id, action, message, target, due = take(), take(), take(), take(), take(), take()
  local kept, kept_ttl = take(), take()
  -- Seen in the index, because that is cheaper than in the messages.
  local holds = redis.call('ZSCORE', index, tag)
  if holds and action ~= 'ack' and message == '' then
    message = message_of(tag)
    holds = message
  end
  if not holds then
    fenced[#fenced + 1] = position
  elseif acknowledges then
    ended[#ended + 1] = tag
    local keeps = kept ~= '' and message_of(tag)
    if keeps then redis.call('SET', kept, keeps, 'PX', kept_ttl) end
    if action == 'restore' then
      redis.call('RPUSH', target, message)
    elseif action == 'park' then
      local queue = string.match(target, '^piton:[^:]*:[^:]*:%d+:(.*)$')
      redis.call('HSET', unacked, target, '[' .. message .. ', "", ' .. cjson.encode(queue) .. ']')
      redis.call('ZADD', index, tonumber(due) - visibility, target)
    elseif counts_losses then
      redis.call('HDEL', losses, id)
    end
    -- One by one, because a tag may come twice in one call: the second settlement is refused.
    redis.call('ZREM', index, tag)
  end
  for _ = 1, tonumber(take()) do
    local key, value, ttl, publishes = take(), take(), take(), take()
    -- As Celery: the first success of a task stays its result.
    local before = holds and publishes == '1' and redis.call('GET', key)
    local is_done = before and string.match(before, '"status":%s*"([^"]*)"') == 'SUCCESS'
    if holds and not is_done then
      redis.call('SET', key, value, 'PX', ttl)
      if publishes == '1' then redis.call('PUBLISH', key, value) end
    end
  end
  for _ = 1, tonumber(take()) do
    local key = take()
    if holds then redis.call('DEL', key) end
  end
  for _ = 1, tonumber(take()) do
    local key, value, ttl, list, sent = take(), take(), take(), take(), take()
    if holds and (key == '' or redis.call('SET', key, value, 'PX', ttl, 'NX')) then
      if list ~= '' then redis.call('LPUSH', list, sent) end
    end
  end
end
for first = 1, #ended, 1000 do
  redis.call('HDEL', unacked, unpack(ended, first, math.min(first + 999, #ended)))
end
return fenced

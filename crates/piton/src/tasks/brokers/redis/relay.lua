-- Sends the entries of an outbox in their order, and remembers each. Skips those that are remembered.
-- ARGV: the key of what is remembered; maximum number remembered; number of entries; then for each entry its id; the number of
-- values, and key, value and time to live in ms of each; the number of messages, and list and message of each.
-- Returns pairs of a position, from 1, and the reason why that entry is refused; nothing of it is stored. Any other error ends the
-- script; the entries before it are sent and remembered.
local remembered, limit, entries = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local at = 3
local function take()
  at = at + 1
  return ARGV[at]
end

local newest = redis.call('ZREVRANGE', remembered, 0, 0, 'WITHSCORES')
local score = tonumber(newest[2] or '0')
local refused = {}

local function finish(result)
  redis.call('ZREMRANGEBYRANK', remembered, 0, -limit - 1)
  redis.call('EXPIRE', remembered, 604800)
  return result
end

-- Returns whether an error is one of the entry's own keys.
local function is_refusal(text)
  return string.find(text, 'NOPERM', 1, true) or string.find(text, "can't access", 1, true)
    or string.find(text, 'no permissions', 1, true)
end

-- Calls a command. Returns an error that ends the script, and the reason for which the entry is refused.
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then return nil, nil, reply end
  if is_refusal(reply.err) then return nil, 'Redis: ' .. reply.err end
  return reply
end

-- Sends an entry. Returns as `try`.
local function send(values, messages)
  for _, message in ipairs(messages) do
    local fault, reason, kind = try('TYPE', message[1])
    if fault or reason then return fault, reason end
    if kind.ok ~= 'none' and kind.ok ~= 'list' then
      return nil, 'Redis: WRONGTYPE the key of the queue `' .. message[1] .. '` is a ' .. kind.ok .. ', not a list'
    end
  end
  for _, value in ipairs(values) do
    if redis.call('EXISTS', value[1]) == 1 then return nil, 'a task with this id is stored already' end
  end
  for _, value in ipairs(values) do redis.call('SET', value[1], value[2], 'PX', value[3]) end
  for number, message in ipairs(messages) do
    local fault, reason = try('LPUSH', message[1], message[2])
    if fault or reason then
      for _, value in ipairs(values) do redis.call('DEL', value[1]) end
      -- Of several queues, one of which is forbidden, some may have their messages.
      if number > 1 and reason then return redis.error_reply(reason) end
      return fault, reason
    end
  end
end

for position = 1, entries do
  local id, values, messages = take(), {}, {}
  for number = 1, tonumber(take()) do values[number] = {take(), take(), take()} end
  for number = 1, tonumber(take()) do messages[number] = {take(), take()} end
  if not redis.call('ZSCORE', remembered, id) then
    local fault, reason = send(values, messages)
    if fault then return finish(fault) end
    if reason then
      table.insert(refused, {position, reason})
    else
      score = score + 1
      redis.call('ZADD', remembered, score, id)
    end
  end
end
return finish(refused)

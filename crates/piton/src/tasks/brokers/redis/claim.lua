-- Moves messages from their lists to the unacknowledged ones, each under a tag of its own.
-- ARGV: prefix, worker, offset of the clock in ms, maximum number and bytes, visibility timeout in s, number of this
-- claim, and for each list, the first to serve first, its key, its step and its queue.
-- Returns nothing if the worker's lease was taken away; otherwise the time at which the next message is due in ms, the
-- numbers of revoked tasks and of lost ones, why a list cannot be read or '', and for each message its tag and itself.
local prefix, worker, batch = ARGV[1], ARGV[2], ARGV[7]
local max, max_bytes, visibility = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local unacked, index = prefix .. 'unacked', prefix .. 'unacked_index'
local lease = redis.call('ZSCORE', prefix .. 'piton:workers', worker)
if not lease or tonumber(lease) < 0 then return {} end

-- Before anything is taken out of a list: a failure in between would lose it.
for key, kind in pairs({ [unacked] = 'hash', [index] = 'zset' }) do
  local found = redis.call('TYPE', key).ok
  if found ~= 'none' and found ~= kind then
    return redis.error_reply('WRONGTYPE ' .. key .. ' is a ' .. found .. ', not a ' .. kind)
  end
end

local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000 + ARGV[3] / 1000

local function list_of(queue, step)
  if step == '0' then return prefix .. queue end
  return prefix .. queue .. '\6\22' .. step
end

-- Messages whose time has come. The others that are found here were given up by workers of Celery: see the sweep.
local fault, others = '', 0
for _ = 1, 10 do
  local due = redis.call('ZRANGEBYSCORE', index, '-inf', now - visibility, 'LIMIT', others, 200)
  for _, tag in ipairs(due) do
    local step, queue = string.match(tag, '^piton:eta:[^:]*:(%d+):(.*)$')
    local value = step and redis.call('HGET', unacked, tag)
    local pushed = {}
    if value then
      local tail = ', "", ' .. cjson.encode(queue) .. ']'
      local list = list_of(queue, step)
      -- First, because a script is not rolled back: a key that is no list must not lose the message.
      pushed = redis.pcall('RPUSH', list, string.sub(value, 2, -#tail - 1))
      if type(pushed) == 'table' then fault = list .. ': ' .. pushed.err end
    end
    if not step or (value and type(pushed) == 'table') then
      others = others + 1
    else
      redis.call('HDEL', unacked, tag)
      redis.call('ZREM', index, tag)
    end
  end
  if #due < 200 then break end
end

local paused = {}
for _, queue in ipairs(redis.call('SMEMBERS', prefix .. 'piton:paused')) do paused[queue] = true end

local claimed = { '', redis.call('ZCARD', prefix .. 'piton:revoked'), redis.call('HLEN', prefix .. 'piton:losses'), fault }
local count, bytes, mean = 0, 0, 1048576
for at = 8, #ARGV, 3 do
  local list, step, queue = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local tail = ', "", ' .. cjson.encode(queue) .. ']'
  while count < max and bytes < max_bytes and not paused[queue] do
    -- As many as probably fit, because messages differ in size by a factor of a million.
    local wanted = math.min(max - count, 100, math.max(1, math.floor((max_bytes - bytes) / mean)))
    local messages = redis.pcall('RPOP', list, wanted)
    if not messages then break end
    -- One that is no list does not keep the others from being served.
    if messages.err then
      claimed[4] = list .. ': ' .. messages.err
      break
    end
    local scores, values = {}, {}
    for _, message in ipairs(messages) do
      count, bytes = count + 1, bytes + #message
      local tag = 'piton:' .. worker .. ':' .. batch .. '.' .. count .. ':' .. step .. ':' .. queue
      scores[#scores + 1], scores[#scores + 2] = now, tag
      values[#values + 1], values[#values + 2] = tag, '[' .. message .. tail
      claimed[#claimed + 1], claimed[#claimed + 2] = tag, message
    end
    redis.call('ZADD', index, unpack(scores))
    redis.call('HSET', unacked, unpack(values))
    mean = math.max(64, bytes / count)
  end
end

-- Those that are due next come first in the index, unless workers of Celery have given many up.
local first = redis.call('ZRANGE', index, 0, 15, 'WITHSCORES')
for at = 1, #first, 2 do
  if string.sub(first[at], 1, 10) == 'piton:eta:' then
    claimed[1] = string.format('%.0f', (first[at + 1] + visibility) * 1000)
    break
  end
end
return claimed

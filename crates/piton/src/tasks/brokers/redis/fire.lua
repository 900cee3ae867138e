-- Sends the run of a tick, unless the last tick is the same or later.
-- ARGV: prefix, schedule, tick in ms, and if it is run: key, value and time to live in ms of the record or '' three
-- times, list, message.
-- Returns 1 if it is recorded, 0 if another process was first, -1 if a task with this id exists.
local crons, name, tick = ARGV[1] .. 'piton:crons', ARGV[2], tonumber(ARGV[3])
local last = redis.call('HGET', crons, name)
if not last or tonumber(last) >= tick then return 0 end
if #ARGV > 3 then
  local key, value, ttl, list, message = ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
  if key ~= '' then
    if redis.call('EXISTS', key) == 1 then return -1 end
    redis.call('SET', key, value, 'PX', ttl)
  end
  redis.call('LPUSH', list, message)
end
redis.call('HSET', crons, name, ARGV[3])
return 1

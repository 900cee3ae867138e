-- The registrations of workers. The score of one is the end of its lease in ms, or -1 once it is taken away: then its
-- messages are being put back.
-- ARGV: prefix, offset of the clock in ms, verb, and what it needs:
--   register: worker, lease in ms, description
--   renew: worker, lease in ms, tags of claims to renew. Returns 0 if the lease was taken away, otherwise 1 and the
--   number of tasks to cancel
--   give_up: worker, or '' for those whose lease has expired. Returns the workers whose messages are to be put back
--   remove: worker
local prefix, verb = ARGV[1], ARGV[3]
local workers, descriptions = prefix .. 'piton:workers', prefix .. 'piton:worker-info'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
if verb == 'register' then
  redis.call('ZADD', workers, now + ARGV[5], ARGV[4])
  redis.call('HSET', descriptions, ARGV[4], ARGV[6])
elseif verb == 'renew' then
  local lease = redis.call('ZSCORE', workers, ARGV[4])
  if not lease or tonumber(lease) < 0 then return { 0 } end
  redis.call('ZADD', workers, now + ARGV[5], ARGV[4])
  for at = 6, #ARGV do
    redis.call('ZADD', prefix .. 'unacked_index', 'XX', now / 1000, ARGV[at])
  end
  return { 1, redis.call('ZCARD', prefix .. 'piton:terminated') }
elseif verb == 'give_up' then
  local ended = { ARGV[4] }
  if ARGV[4] == '' then ended = redis.call('ZRANGEBYSCORE', workers, 0, now) end
  for _, worker in ipairs(ended) do redis.call('ZADD', workers, 'XX', -1, worker) end
  return redis.call('ZRANGEBYSCORE', workers, -1, -1)
elseif verb == 'remove' then
  redis.call('ZREM', workers, ARGV[4])
  redis.call('HDEL', descriptions, ARGV[4])
end
return {}

-- Lets messages wait for their time: among the unacknowledged ones, with a score by which any worker, Celery's too, puts
-- them back to their queue when it has come.
-- ARGV: prefix, visibility timeout in s, and for each message: tag, new tag, and the time at which it is due in s.
local prefix, visibility = ARGV[1], tonumber(ARGV[2])
local unacked, index = prefix .. 'unacked', prefix .. 'unacked_index'
for at = 3, #ARGV, 3 do
  local tag, target, due = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local value = redis.call('HGET', unacked, tag)
  if value then
    redis.call('HDEL', unacked, tag)
    redis.call('ZREM', index, tag)
    redis.call('HSET', unacked, target, value)
    redis.call('ZADD', index, due - visibility, target)
  end
end
return 0

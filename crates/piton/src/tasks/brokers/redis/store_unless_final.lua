-- Stores what is known of tasks that have not ended. A worker that is late must not replace the result of another one.
-- ARGV: '1' to publish, and for each task: key, value, time to live in ms.
local publishes = ARGV[1] == '1'
for at = 2, #ARGV, 3 do
  local key, value = ARGV[at], ARGV[at + 1]
  local before = redis.call('GET', key)
  local status = before and string.match(before, '"status":%s*"([^"]*)"')
  if status ~= 'SUCCESS' and status ~= 'FAILURE' and status ~= 'REVOKED' then
    redis.call('SET', key, value, 'PX', ARGV[at + 2])
    if publishes then redis.call('PUBLISH', key, value) end
  end
end
return 0

-- Stores what is known of tasks, except over a result that stays: a worker that is late must not replace that of another one.
-- ARGV: 'final' if every final state stays, 'success' if a success does; '1' to publish; and for each task: key, value,
-- time to live in ms.
-- Returns the number of values that were stored.
local mode, publishes, stored = ARGV[1], ARGV[2] == '1', 0
for at = 3, #ARGV, 3 do
  local key, value = ARGV[at], ARGV[at + 1]
  local before = redis.call('GET', key)
  local status = before and string.match(before, '"status":%s*"([^"]*)"')
  local stays = status == 'SUCCESS' or (mode == 'final' and (status == 'FAILURE' or status == 'REVOKED'))
  if not stays then
    redis.call('SET', key, value, 'PX', ARGV[at + 2])
    if publishes then redis.call('PUBLISH', key, value) end
    stored = stored + 1
  end
end
return stored

-- Counts the end of a member of a chord. The same in effect as that of Celery 5.7, whose workers may run other members,
-- and readable by 5.6.
-- ARGV: keys of results, added members, size, seen members, and of the right to send the body; id of the member, its
-- position, its result, time to live of the results and of the right in s, and who asks for it.
-- Returns -1 if the body was sent, 1 if the caller sends it now, otherwise 0.
local results, added, size, seen, right = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local id, position, result, ttl = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
if redis.call('GET', right) == 'done' then return -1 end
if redis.call('SADD', seen, id .. ':' .. position) == 1 then
  redis.call('ZADD', results, position, result)
end
local counted = redis.call('ZCOUNT', results, '-inf', '+inf')
for _, key in ipairs({ results, added, size, seen }) do redis.call('EXPIRE', key, ttl) end
local members = redis.call('GET', size)
if not members or counted ~= members + (redis.call('GET', added) or 0) then return 0 end
-- The same member asks again if its worker died in between.
if redis.call('GET', right) == ARGV[11] or redis.call('SET', right, ARGV[11], 'NX', 'EX', ARGV[10]) then return 1 end
return 0

-- The first words on each connection. ARGV: prefix, the server that was last spoken to if something
-- was invalidated there (or nothing), whether something could not be invalidated ('1').
--
-- A server that was restarted, restored or has taken over may know older values, and not know of
-- invalidations. It has another identity than the one the epoch was begun under: then a new epoch
-- begins, and no older value counts. Answers the identity, and whether an epoch has ended.
local server = redis.call('INFO', 'server')
local replication = redis.call('INFO', 'replication')
if string.match(replication, 'role:(%a+)') == 'slave' then
  return redis.error_reply('READONLY this is a replica, not the master')
end
local run = string.match(server, 'run_id:(%w+)')
local id = run and run .. ':' .. (string.match(replication, 'master_replid:(%w+)') or '') or ''
local ends = ARGV[3] == '1' or id == '' or redis.call('GET', prefix .. 's') ~= id
if ARGV[2] ~= '' and ARGV[2] ~= id then ends = true end
if ends then
  redis.call('DEL', prefix .. 'e')
  redis.call('SET', prefix .. 's', id)
end
return { id, ends and 1 or 0 }

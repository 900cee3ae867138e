-- The first command on each connection. Returns the identity of the server, and whether a new epoch started.
-- ARGV: prefix, the server that was last connected if something was invalidated there (otherwise empty),
-- '1' if an invalidation could not be delivered.
--
-- A server that was restarted, restored or promoted may hold older values, and not know of
-- invalidations. Its identity differs from the one under which the epoch started: then a new epoch
-- starts, and no older value is valid.
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

-- Releases a lease if the caller has it. ARGV: prefix, the header, the owner of the lease.
local lease = prefix .. 'l:' .. cjson.decode(ARGV[2])[1]
if redis.call('GET', lease) == ARGV[3] then return redis.call('DEL', lease) end
return 0

-- ARGV: prefix, the head, who computed under it and does no more.
local turn = prefix .. 'l:' .. cjson.decode(ARGV[2])[1]
if redis.call('GET', turn) == ARGV[3] then return redis.call('DEL', turn) end
return 0

-- KEYS[1]: the value. ARGV: prefix, a new id, for how long in ms, the bytes, tags.
local id, ms = ARGV[2], tonumber(ARGV[3])
local text = cjson.encode(head_of(5, id, ms + 60000))
redis.call('SET', KEYS[1], 'E' .. text .. '\n' .. ARGV[4], 'PX', ms)
return 1

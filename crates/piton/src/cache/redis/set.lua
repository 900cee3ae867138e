-- Stores a value as of now. KEYS[1]: the entry. ARGV: prefix, a new id, the time to live in ms, the bytes, tags.
local id, ms = ARGV[2], tonumber(ARGV[3])
local text = cjson.encode(new_header(5, id, ms + 60000))
redis.call('SET', KEYS[1], 'E' .. text .. '\n' .. ARGV[4], 'PX', ms)
return 1

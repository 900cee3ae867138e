-- Stores a computed value unless something it depends on has changed. Returns whether it is stored.
-- KEYS[1]: the entry. ARGV: prefix, the header under which it was computed, its owner, the time to live in
-- ms, the bytes.
local text, owner, ms = ARGV[2], ARGV[3], tonumber(ARGV[4])
local header = cjson.decode(text)
local stored = 0
if redis.call('GETRANGE', KEYS[1], 1, #text) == text and is_current(header) then
  redis.call('SET', KEYS[1], 'E' .. text .. '\n' .. ARGV[5], 'PX', ms)
  -- The versions outlive the entry, because an entry whose version has expired counts as invalidated.
  for _, key in ipairs(keys_of(header)) do extend_ttl(key, ms + 60000) end
  stored = 1
end
local lease = prefix .. 'l:' .. header[1]
if redis.call('GET', lease) == owner then redis.call('DEL', lease) end
return stored

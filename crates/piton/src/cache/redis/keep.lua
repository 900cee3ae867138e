-- KEYS[1]: the value. ARGV: prefix, the head under which it was computed, who did, for how long in ms,
-- the bytes. Answers whether it is kept: not if anything it depends on has changed.
local text, owner, ms = ARGV[2], ARGV[3], tonumber(ARGV[4])
local head = cjson.decode(text)
local kept = 0
if redis.call('GETRANGE', KEYS[1], 1, #text) == text and is_current(head) then
  redis.call('SET', KEYS[1], 'E' .. text .. '\n' .. ARGV[5], 'PX', ms)
  for _, key in ipairs(keys_of(head)) do outlive(key, ms + 60000) end
  kept = 1
end
local turn = prefix .. 'l:' .. head[1]
if redis.call('GET', turn) == owner then redis.call('DEL', turn) end
return kept

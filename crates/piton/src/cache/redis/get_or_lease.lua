-- Returns the value, or {whether the caller has the lease, the header, whether there was an old value}.
-- KEYS[1]: the entry. ARGV: prefix, a new id, the caller, how long a lease and a turn last in ms, tags.
local id, owner, lease_ms, turn_ms = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local raw = redis.call('GET', KEYS[1])
local header, text, state = decode(raw)
local stale = 0

local same_tags = header and #header == 2 + 2 * (#ARGV - 5)
for at = 6, #ARGV do same_tags = same_tags and header[3 + 2 * (at - 6)] == ARGV[at] end
if same_tags and is_current(header) then
  if state == 'E' then return raw end
else
  if state == 'E' then stale = 1 end
  header = new_header(6, id, lease_ms)
  text = cjson.encode(header)
  redis.call('SET', KEYS[1], 'P' .. text .. '\n', 'PX', lease_ms)
end

local lease = prefix .. 'l:' .. header[1]
local ours = redis.call('SET', lease, owner, 'NX', 'PX', turn_ms)
if not ours then ours = redis.call('GET', lease) == owner end
return { ours and 1 or 0, text, stale }

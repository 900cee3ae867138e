-- KEYS[1]: the value. ARGV: prefix, a new id, who asks, how long a lease and a turn last in ms, tags.
-- Answers the value, or {whether it is the asker's turn, the head, whether there was an old value}.
local id, owner, lease_ms, turn_ms = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local raw = redis.call('GET', KEYS[1])
local head, text, state = decode(raw)
local stale = 0

local same = head and #head == 2 + 2 * (#ARGV - 5)
for at = 6, #ARGV do same = same and head[3 + 2 * (at - 6)] == ARGV[at] end
if same and is_current(head) then
  if state == 'E' then return raw end
else
  if state == 'E' then stale = 1 end
  head = head_of(6, id, lease_ms)
  text = cjson.encode(head)
  redis.call('SET', KEYS[1], 'P' .. text .. '\n', 'PX', lease_ms)
end

local turn = prefix .. 'l:' .. head[1]
local ours = redis.call('SET', turn, owner, 'NX', 'PX', turn_ms)
if not ours then ours = redis.call('GET', turn) == owner end
return { ours and 1 or 0, text, stale }

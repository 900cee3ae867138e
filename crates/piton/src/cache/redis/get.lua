-- Returns the value, nil if there is none, or 0 if it was invalidated. KEYS[1]: the entry.
local raw = redis.call('GET', KEYS[1])
local header, _, state = decode(raw)
if not header or state ~= 'E' then return false end
if is_current(header) then return raw end
return 0

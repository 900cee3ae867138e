-- KEYS[1]: the value. Answers it, nil, or 0 for one that was invalidated.
local raw = redis.call('GET', KEYS[1])
local head, _, state = decode(raw)
if not head or state ~= 'E' then return false end
if is_current(head) then return raw end
return 0

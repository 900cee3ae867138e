-- What every script begins with. ARGV[1] is what all keys of the service begin with.
--
-- A value is `E` or `P`, its head, a new line, and for `E` the bytes. The head is a JSON list: the lease,
-- the epoch, then each tag with its version. A value counts while epoch and versions are those of the
-- head; `P` stands for one that is being computed, and keeps the lease.
local prefix = ARGV[1]

local function decode(raw)
  if not raw then return nil end
  local ends = string.find(raw, '\n', 1, true)
  if not ends then return nil end
  local text = string.sub(raw, 2, ends - 1)
  local ok, head = pcall(cjson.decode, text)
  if not ok or type(head) ~= 'table' then return nil end
  return head, text, string.sub(raw, 1, 1)
end

-- The keys of the epoch and of the versions that a head names.
local function keys_of(head)
  local keys = { prefix .. 'e' }
  for at = 3, #head, 2 do keys[#keys + 1] = prefix .. 't:' .. head[at] end
  return keys
end

local function is_current(head)
  local now = redis.call('MGET', unpack(keys_of(head)))
  for at = 1, #now do
    if now[at] ~= head[2 * at] then return false end
  end
  return true
end

-- Makes a key live for at least `ms`.
local function outlive(key, ms)
  local left = redis.call('PTTL', key)
  if left >= 0 and left < ms then redis.call('PEXPIRE', key, ms) end
end

-- The version that a key holds, or `id` from now on.
local function version(key, id, ms)
  local found = redis.call('GET', key)
  if found then outlive(key, ms) return found end
  redis.call('SET', key, id, 'PX', ms)
  return id
end

-- A head for the tags that begin at ARGV[first], with the versions of now.
local function head_of(first, id, ms)
  local head = { id, version(prefix .. 'e', id, ms) }
  for at = first, #ARGV do
    head[#head + 1] = ARGV[at]
    head[#head + 1] = version(prefix .. 't:' .. ARGV[at], id, ms)
  end
  return head
end

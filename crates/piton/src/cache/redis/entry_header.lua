-- The beginning of every script: functions for the header of an entry. ARGV[1] is the prefix of all keys
-- of the service.
--
-- An entry is `E` or `P`, its header, a newline, and for `E` the bytes of the value. The header is a JSON
-- list: the lease id, the epoch, then each tag with its version. An entry is valid while the stored epoch
-- and versions equal those of its header. `P` (pending) stands for a value that is being computed, and
-- holds the lease.
local prefix = ARGV[1]

-- Returns the header of an entry as a list and as text, and its state; nil if it cannot be read.
local function decode(raw)
  if not raw then return nil end
  local ends = string.find(raw, '\n', 1, true)
  if not ends then return nil end
  local text = string.sub(raw, 2, ends - 1)
  local ok, header = pcall(cjson.decode, text)
  if not ok or type(header) ~= 'table' then return nil end
  return header, text, string.sub(raw, 1, 1)
end

-- Returns the keys of the epoch and of the tag versions in a header.
local function keys_of(header)
  local keys = { prefix .. 'e' }
  for at = 3, #header, 2 do keys[#keys + 1] = prefix .. 't:' .. header[at] end
  return keys
end

-- Returns whether nothing in a header was invalidated since it was written.
local function is_current(header)
  local now = redis.call('MGET', unpack(keys_of(header)))
  for at = 1, #now do
    if now[at] ~= header[2 * at] then return false end
  end
  return true
end

-- Extends the time to live of a key to at least `ms`.
local function extend_ttl(key, ms)
  local left = redis.call('PTTL', key)
  if left >= 0 and left < ms then redis.call('PEXPIRE', key, ms) end
end

-- Returns the version stored at a key. If there is none, stores `id` and returns it.
local function version(key, id, ms)
  local found = redis.call('GET', key)
  if found then extend_ttl(key, ms) return found end
  redis.call('SET', key, id, 'PX', ms)
  return id
end

-- Returns a header for the tags from ARGV[first] on, with their current versions.
local function new_header(first, id, ms)
  local header = { id, version(prefix .. 'e', id, ms) }
  for at = first, #ARGV do
    header[#header + 1] = ARGV[at]
    header[#header + 1] = version(prefix .. 't:' .. ARGV[at], id, ms)
  end
  return header
end

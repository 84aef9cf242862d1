-- Entries of queues.

-- Queues in which something may have become claimable: those who wait are told.
local touched = {}

local function write_entry(keys, member, entry)
  local fields = {
    entry.id, entry.appended, entry.receives, entry.token, entry.claimed, entry.due, entry.group,
    entry.size, entry.state,
  }
  hset(keys.entries, member, cmsgpack.pack(fields))
end

-- The digest keeps one group's members together whatever bytes its name has.
local function head_of(keys, digest)
  local head = redis.call(
    'ZRANGEBYLEX', keys.groups, '[' .. digest, '(' .. digest .. ':', 'LIMIT', 0, 1)[1]
  return head and string.sub(head, #digest + 1)
end

local function make_due(keys, member, entry)
  zadd(keys.due, entry.due, member)
  touched[keys.name] = true
end

local function resize(keys, by)
  local size = tonumber(redis.call('HGET', SIZES, keys.name) or 0) + by
  hset(SIZES, keys.name, text_of(size))
end

-- Whether the id was appended not long ago; if not, it is now.
local function is_repeat(queue, id, window)
  local name = #queue .. ':' .. queue .. id
  local again = redis.call('HGET', SEEN, name)
  if again and tonumber(again) > now then return true end
  hset(SEEN, name, text_of(now + window))
  zadd(ENDS, now + window, 'd' .. name)
  return false
end

local function append()
  local keys, id, body, state = keys_of(take()), take(), take(), take()
  local grouped, group, delay = take() == '1', take(), take_number()
  local depth_max, window = take_number(), take_number()
  if window and is_repeat(keys.name, id, window) then return nil end
  local depth = redis.call('ZCARD', keys.numbers)
  if depth_max and depth >= depth_max then refuse(FULL, keys.name) end
  local seq = next_number()
  local member = padded(seq)
  local entry = {
    id = id, appended = wall, receives = 0, token = 0, claimed = 0, due = now + delay,
    group = grouped and group, size = #body, state = state,
  }
  local digest = grouped and redis.sha1hex(group)
  local hidden = grouped and head_of(keys, digest)
  write_entry(keys, member, entry)
  hset(keys.bodies, member, body)
  zadd(keys.numbers, seq, member)
  resize(keys, #body)
  if grouped then zadd(keys.groups, 0, digest .. member) end
  if not hidden then make_due(keys, member, entry) end
  if depth == 0 then zadd(QUEUES, 0, keys.name) end
  return seq
end

-- Lets the next of a group come forward.
local function promote(keys, digest)
  local head = head_of(keys, digest)
  if not head or redis.call('ZSCORE', keys.due, head) then return end
  local entry = read_entry(keys, head)
  entry.due = math.max(entry.due, now)
  write_entry(keys, head, entry)
  make_due(keys, head, entry)
end

local function remove_entry(keys, member, entry)
  hdel(keys.entries, member)
  hdel_at_the_end(keys.bodies, member)
  zrem(keys.numbers, member)
  zrem(keys.due, member)
  zrem(keys.claimed, member)
  if entry.group then
    local digest = redis.sha1hex(entry.group)
    zrem(keys.groups, digest .. member)
    promote(keys, digest)
  end
  if redis.call('ZCARD', keys.numbers) > 0 then
    resize(keys, -entry.size)
  else
    hdel(SIZES, keys.name)
    zrem(QUEUES, keys.name)
  end
end

-- Reads a receipt from the arguments. Without an entry it is no longer the holder's.
local function held()
  local keys, member, token = keys_of(take()), padded(take_number()), take_number()
  local entry = read_entry(keys, member)
  if entry and entry.claimed == 1 and entry.token == token then return keys, member, entry end
end

local function release(keys, member, entry, delay, state)
  entry.claimed, entry.receives, entry.due = 0, math.max(0, entry.receives - 1), now + delay
  entry.state = state or entry.state
  write_entry(keys, member, entry)
  zrem(keys.claimed, member)
  make_due(keys, member, entry)
end

local function lease_entry(keys, member, entry, visibility)
  entry.due = now + visibility
  write_entry(keys, member, entry)
  zadd(keys.due, entry.due, member)
  zadd(keys.claimed, entry.due, member)
end

local function claim()
  local keys, most, bytes_max, visibility =
    keys_of(take()), take_number(), take_number(), take_number()
  local due = redis.call('ZRANGEBYSCORE', keys.due, '-inf', text_of(now), 'LIMIT', 0, most)
  local found, bytes = {}, 0
  for _, member in ipairs(due) do
    local entry = read_entry(keys, member)
    bytes = bytes + entry.size
    if bytes > bytes_max and #found > 0 then break end
    entry.claimed, entry.token, entry.receives = 1, next_number(), entry.receives + 1
    lease_entry(keys, member, entry, visibility)
    table.insert(found, shown(keys, member, entry))
  end
  return found
end

local function extend()
  local visibility, count, extended = take_number(), take_number(), {}
  for index = 1, count do
    local keys, member, entry = held()
    if entry then lease_entry(keys, member, entry, visibility) end
    extended[index] = entry and 1 or 0
  end
  return extended
end

-- What every script begins with: the app's keys, the arguments, and the time.
--
-- KEYS[1] is the hash of the time; all keys of an app share its hash tag, so that in a cluster they
-- are in one slot. ARGV: the wall clock's milliseconds or '' for this server's clock, the latest time
-- that the caller has seen, what to do, and its arguments.

local TIME = KEYS[1] -- hash: wall, steady, last (number given), format
local P = string.sub(TIME, 1, -5) -- without 'time'
local VALUES = P .. 'values' -- hash: key -> bytes
local VERSIONS = P .. 'versions' -- hash: key -> 'version:end', the end being 0 for ever
local INDEX = P .. 'index' -- sorted set: keys, by their bytes
local LEASES = P .. 'leases' -- hash: key -> 'token:end'
local SEEN = P .. 'seen' -- hash: queue and id -> when it may be appended again
local ENDS = P .. 'ends' -- sorted set: kind and name, by when it is over
local QUEUES = P .. 'queues' -- sorted set: queues that hold something, by their bytes
local SIZES = P .. 'sizes' -- hash: queue -> bytes of its bodies

-- How all this is laid out. What a newer version wrote is left alone.
local FORMAT = 1

local argument = 0
local function take()
  argument = argument + 1
  return ARGV[argument]
end
local function take_number()
  return tonumber(take())
end

-- Lua's own conversion would round from the 15th digit on.
local function text_of(number)
  return string.format('%.0f', number)
end

-- Time that never goes back: see `Steady` of the crate wfh-store.
local function read_time()
  local given, floor = take(), take_number()
  local wall = tonumber(given)
  if not wall then
    local time = redis.call('TIME')
    wall = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  end
  local kept = redis.call('HMGET', TIME, 'wall', 'steady', 'last', 'format')
  local kept_wall, kept_steady = tonumber(kept[1] or 0), tonumber(kept[2] or 0)
  local steady = math.max(kept_steady + math.max(0, wall - kept_wall), floor)
  return wall, steady, wall < kept_wall, tonumber(kept[3] or 0), tonumber(kept[4] or FORMAT)
end
local wall, now, stepped_back, last, format = read_time()

-- The version and the end of a key's value; nil if it is absent or its time is over.
local function version_of(key)
  local packed = redis.call('HGET', VERSIONS, key)
  if not packed then return nil end
  local version, ends = string.match(packed, '^(%d+):(%d+)$')
  ends = tonumber(ends)
  if ends ~= 0 and ends <= now then return nil end
  return tonumber(version), ends
end

-- The keys of one queue.
local function keys_of(queue)
  local p = P .. 'queue:'
  return {
    name = queue,
    entries = p .. 'entries:' .. queue, -- hash: number -> entry without its body
    bodies = p .. 'bodies:' .. queue, -- hash: number -> body
    numbers = p .. 'numbers:' .. queue, -- sorted set: numbers, by number
    due = p .. 'due:' .. queue, -- sorted set: what no group hides, by when it may be claimed
    claimed = p .. 'claimed:' .. queue, -- sorted set: what is claimed, by the lease's end
    groups = p .. 'groups:' .. queue, -- sorted set: digest of the group and number, by bytes
  }
end

-- Numbers are padded so that texts sort as they do.
local function padded(seq)
  return string.format('%016.0f', seq)
end

local function read_entry(keys, member)
  local packed = redis.call('HGET', keys.entries, member)
  if not packed then return nil end
  local fields = cmsgpack.unpack(packed)
  return {
    id = fields[1], appended = fields[2], receives = fields[3], token = fields[4],
    claimed = fields[5], due = fields[6], group = fields[7], size = fields[8], state = fields[9],
  }
end

-- An entry as it is answered. `nil` would cut an answer short, so a missing group is false.
local function shown(keys, member, entry)
  local body = redis.call('HGET', keys.bodies, member)
  return {
    tonumber(member), entry.token, entry.id, entry.appended, entry.receives, entry.due, entry.group,
    entry.state, body,
  }
end

local function answer(kind, with)
  return { wall, now, kind, with }
end
local DONE, CONFLICT, FULL, INVALID = 0, 1, 2, 3

if format > FORMAT then
  return answer(INVALID, 'a newer version of wfh wrote the store (format ' .. format .. ')')
end

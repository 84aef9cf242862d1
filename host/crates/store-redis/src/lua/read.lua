-- Reads. They write nothing, so that a server whose memory is full still answers.

-- A page ends here, so that one answer never blocks the server for long.
local PAGE_BYTES_MAX = 16 * 1024 * 1024
local PAGE_ITEMS_MAX = 1000

local function get()
  local key = take()
  local version, ends = version_of(key)
  if not version then return {} end
  return { version, ends, redis.call('HGET', VALUES, key) }
end

-- Values whose keys lie between two bounds: how far it came (or false at the end), then the items.
local function list()
  local from, to, limit = take(), take(), math.min(take_number(), PAGE_ITEMS_MAX)
  local keys = redis.call('ZRANGEBYLEX', INDEX, from, to, 'LIMIT', 0, limit)
  local found, bytes, reached = {}, 0, false
  for _, key in ipairs(keys) do
    local version, ends = version_of(key)
    if version then
      local value = redis.call('HGET', VALUES, key)
      table.insert(found, { key, version, ends, value })
      bytes = bytes + #value
    end
    reached = key
    if bytes >= PAGE_BYTES_MAX then return { reached, found } end
  end
  if #keys < limit then reached = false end
  return { reached, found }
end

-- Milliseconds until something may be claimed; -1: nothing waits.
local function claimable()
  local keys = keys_of(take())
  local first = redis.call('ZRANGE', keys.due, 0, 0, 'WITHSCORES')
  if #first == 0 then return -1 end
  return math.max(0, tonumber(first[2]) - now)
end

local function depth()
  local keys = keys_of(take())
  local entries = redis.call('ZCARD', keys.numbers)
  if entries == 0 then return {} end
  local first = redis.call('ZRANGE', keys.numbers, 0, 0)[1]
  local bytes = tonumber(redis.call('HGET', SIZES, keys.name) or 0)
  local claimed = redis.call('ZCOUNT', keys.claimed, '(' .. text_of(now), '+inf')
  return { entries, bytes, claimed, read_entry(keys, first).appended }
end

-- Entries above a number: whether there may be more, then the entries.
local function peek()
  local keys, after, limit = keys_of(take()), take(), math.min(take_number(), PAGE_ITEMS_MAX)
  local members =
    redis.call('ZRANGEBYSCORE', keys.numbers, '(' .. after, '+inf', 'LIMIT', 0, limit)
  local found, bytes = {}, 0
  for _, member in ipairs(members) do
    local entry = read_entry(keys, member)
    table.insert(found, shown(keys, member, entry))
    bytes = bytes + entry.size
    if bytes >= PAGE_BYTES_MAX then return { 1, found } end
  end
  return { #members == limit and 1 or 0, found }
end

local function queues()
  return redis.call('ZRANGE', QUEUES, 0, -1)
end

-- Whether the store can be used at all.
local function ready()
  return 0
end

local reads =
  { get = get, list = list, claimable = claimable, depth = depth, peek = peek,
    queues = queues, ready = ready }
return answer(DONE, reads[take()]())

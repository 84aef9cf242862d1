-- Commits, claims and leases: all of it or nothing.

local EFFECT = { done = 0, version = 1, removed = 2, sum = 3, appended = 4, duplicate = 5 }

local ops = {}

function ops.put(index)
  local key = take()
  expect(index, key)
  local bytes, ttl = take(), take_number()
  return EFFECT.version, set_value(key, bytes, ttl and now + ttl or 0)
end

function ops.delete(index)
  local key = take()
  expect(index, key)
  local there = version_of(key) ~= nil
  remove_value(key)
  end_lease(key)
  return EFFECT.removed, there and 1 or 0
end

function ops.check(index)
  expect(index, take())
  return EFFECT.done, 0
end

function ops.increment()
  return EFFECT.sum, increment(take(), take())
end

function ops.append()
  local seq = append()
  if seq then return EFFECT.appended, seq end
  return EFFECT.duplicate, 0
end

function ops.ack(index)
  local keys, member, entry = held()
  if not entry then refuse(CONFLICT, index) end
  remove_entry(keys, member, entry)
  return EFFECT.done, 0
end

function ops.release(index)
  local keys, member, entry = held()
  local delay, replaces, state = take_number(), take() == '1', take()
  if not entry then refuse(CONFLICT, index) end
  release(keys, member, entry, delay, replaces and state)
  return EFFECT.done, 0
end

function ops.remove()
  local keys, member = keys_of(take()), padded(take_number())
  local entry = read_entry(keys, member)
  if entry then remove_entry(keys, member, entry) end
  return EFFECT.removed, entry and 1 or 0
end

local function commit()
  local effects, count = {}, take_number()
  for index = 0, count - 1 do
    local kind, value = ops[take()](index)
    effects[2 * index + 1], effects[2 * index + 2] = kind, value
  end
  return effects
end

local function tick()
  return 0
end

local writes = {
  commit = commit, claim = claim, extend = extend, lease = lease, renew = renew,
  give_back = give_back, tick = tick,
}

local function keep_time()
  redis.call(
    'HSET', TIME, 'wall', text_of(wall), 'steady', text_of(now), 'last', text_of(last),
    'format', FORMAT)
end

-- Each script ends more than it can begin, so what is over never piles up.
local function sweep_most()
  return 64 + math.floor(#ARGV / 2)
end

local write = writes[take()]
sweep(sweep_most())
local ok, result = pcall(write)
if not ok then
  revert()
  if dirty or stepped_back then keep_time() end
  if type(result) == 'table' and result.refused then return answer(result.refused, result.with) end
  return redis.error_reply(type(result) == 'table' and result.err or tostring(result))
end
for _, act in ipairs(at_the_end) do
  redis.call(unpack(act))
end
if dirty or stepped_back then keep_time() end
for queue in pairs(touched) do
  redis.call('PUBLISH', P .. 'wake', queue)
end
return answer(DONE, result)

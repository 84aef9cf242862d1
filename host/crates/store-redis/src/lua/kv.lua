-- Values, leases, and the end of what has a time to live.

local function token_of(key)
  local packed = redis.call('HGET', LEASES, key)
  if not packed then return nil end
  local token, ends = string.match(packed, '^(%d+):(%d+)$')
  if tonumber(ends) <= now then return nil end
  return tonumber(token)
end

local function set_lease(key, token, ttl)
  hset(LEASES, key, text_of(token) .. ':' .. text_of(now + ttl))
  zadd(ENDS, now + ttl, 'l' .. key)
end

local function end_lease(key)
  hdel(LEASES, key)
  zrem(ENDS, 'l' .. key)
end

local function set_value(key, bytes, ends)
  local version = next_number()
  hset(VALUES, key, bytes)
  hset(VERSIONS, key, text_of(version) .. ':' .. text_of(ends))
  zadd(INDEX, 0, key)
  if ends == 0 then zrem(ENDS, 'v' .. key) else zadd(ENDS, ends, 'v' .. key) end
  end_lease(key)
  return version
end

local function remove_value(key)
  hdel(VALUES, key)
  hdel(VERSIONS, key)
  zrem(INDEX, key)
  zrem(ENDS, 'v' .. key)
end

-- Reads an expectation from the arguments and tells whether it holds.
local function expectation_holds(key)
  local kind, lease, number = take(), take(), take_number()
  if kind == 'any' then return true end
  local version = version_of(key)
  if kind == 'absent' then return version == nil end
  if kind == 'version' then return version == number end
  return version == nil and lease == key and token_of(key) == number
end

local function expect(index, key)
  if not expectation_holds(key) then refuse(CONFLICT, index) end
end

-- A decimal number as Redis reads it; nil if it is none.
local function plain_number(text)
  local sign, digits = string.match(text, '^([+-]?)0*(%d+)$')
  if not digits then return nil end
  if sign == '-' and digits ~= '0' then return '-' .. digits end
  return digits
end

-- The sum is made by Redis and stays a text: it has 64 bits, Lua's numbers have 53.
local function increment(key, delta)
  local version, ends = version_of(key)
  local before = version and plain_number(redis.call('HGET', VALUES, key)) or '0'
  if version and not plain_number(redis.call('HGET', VALUES, key)) then
    refuse(INVALID, '`' .. key .. '` holds no number')
  end
  set_value(key, before, ends or 0)
  local sum = redis.pcall('HINCRBY', VALUES, key, delta)
  if type(sum) == 'table' then
    local over = string.find(sum.err, 'overflow', 1, true)
    refuse(INVALID, '`' .. key .. '` ' .. (over and 'would leave 64 bits' or 'holds no number'))
  end
  return redis.call('HGET', VALUES, key)
end

-- Removes some of what is over, so that it does not pile up. Everything is absent before that too.
local function sweep(most)
  local over = redis.call('ZRANGEBYSCORE', ENDS, '-inf', text_of(now), 'LIMIT', 0, most)
  for _, member in ipairs(over) do
    local kind, name = string.sub(member, 1, 1), string.sub(member, 2)
    if kind == 'v' then
      redis.call('HDEL', VALUES, name)
      redis.call('HDEL', VERSIONS, name)
      redis.call('ZREM', INDEX, name)
    else
      redis.call('HDEL', kind == 'l' and LEASES or SEEN, name)
    end
    redis.call('ZREM', ENDS, member)
    dirty = true
  end
end

local function lease()
  local key, ttl = take(), take_number()
  local version, ends = version_of(key)
  if version then return { 2, version, ends, redis.call('HGET', VALUES, key) } end
  if token_of(key) then return { 1 } end
  local token = next_number()
  set_lease(key, token, ttl)
  return { 0, token }
end

local function renew()
  local key, token, ttl = take(), take_number(), take_number()
  if token_of(key) ~= token then return 0 end
  set_lease(key, token, ttl)
  return 1
end

local function give_back()
  local key, token = take(), take_number()
  if token_of(key) == token then end_lease(key) end
  return 0
end

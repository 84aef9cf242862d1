-- The four writes that everything is made of. Redis does not roll a script back, so each notes what
-- undoes it; `revert` plays the notes backwards.

local undo, at_the_end, dirty = {}, {}, false

local function note(...)
  dirty = true
  undo[#undo + 1] = { ... }
end

local function hset(key, field, value)
  local before = redis.call('HGET', key, field)
  if before then note('HSET', key, field, before) else note('HDEL', key, field) end
  redis.call('HSET', key, field, value)
end

local function hdel(key, field)
  local before = redis.call('HGET', key, field)
  if not before then return end
  note('HSET', key, field, before)
  redis.call('HDEL', key, field)
end

local function zadd(key, score, member)
  local before = redis.call('ZSCORE', key, member)
  if before then note('ZADD', key, before, member) else note('ZREM', key, member) end
  redis.call('ZADD', key, text_of(score), member)
end

local function zrem(key, member)
  local before = redis.call('ZSCORE', key, member)
  if not before then return end
  note('ZADD', key, before, member)
  redis.call('ZREM', key, member)
end

local function revert()
  for index = #undo, 1, -1 do
    redis.call(unpack(undo[index]))
  end
end

-- Large bytes go when nothing can fail any more: undoing that would mean to copy them.
local function hdel_at_the_end(key, field)
  at_the_end[#at_the_end + 1] = { 'HDEL', key, field }
end

-- Numbers of versions, tokens and entries grow with the time. A server that takes over and has not
-- heard of the last ones gives none of them again, so that fencing holds.
local function next_number()
  last = math.max(last + 1, now * 1000)
  return last
end

-- What is refused stops here; `attempt` turns it into an answer.
local function refuse(kind, with)
  error({ refused = kind, with = with })
end

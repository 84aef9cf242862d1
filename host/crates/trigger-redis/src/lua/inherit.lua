-- Takes over what a consumer had taken, this one itself after a restart, or one that is gone.
-- KEYS: list, inbox, taken, deliveries, next id, consumers, then inbox and taken of the other one.
-- ARGV: consumer, the other one, how long it must be silent in ms, count.
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local seen = redis.call('ZSCORE', KEYS[6], ARGV[2])
if seen and tonumber(seen) > now_ms - tonumber(ARGV[3]) then
    return {}
end
while true do
    local element = redis.call('LPOP', KEYS[7])
    if not element then
        break
    end
    redis.call('RPUSH', KEYS[1], element)
end
local given = {}
for _, id in ipairs(redis.call('HKEYS', KEYS[8])) do
    if #given / 3 >= tonumber(ARGV[4]) then
        return given
    end
    local element = redis.call('HGET', KEYS[8], id)
    redis.call('HDEL', KEYS[8], id)
    redis.call('HSET', KEYS[3], id, element)
    given[#given + 1] = id
    given[#given + 1] = redis.call('HINCRBY', KEYS[4], id, 1)
    given[#given + 1] = element
end
if ARGV[1] ~= ARGV[2] then
    redis.call('ZREM', KEYS[6], ARGV[2])
end
return given

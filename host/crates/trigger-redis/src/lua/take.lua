-- Takes elements from a list: each gets an id and is kept under it until it is acknowledged.
-- KEYS: list, inbox, taken, deliveries, next id, consumers. ARGV: consumer, count.
local now = redis.call('TIME')
redis.call('ZADD', KEYS[6], now[1] * 1000 + math.floor(now[2] / 1000), ARGV[1])
local given = {}
for _ = 1, tonumber(ARGV[2]) do
    local element = redis.call('RPOP', KEYS[2]) or redis.call('RPOP', KEYS[1])
    if not element then
        break
    end
    -- Never one that was there before, also after a loss of data: greater than the time.
    local micros = now[1] * 1000000 + now[2]
    local id = math.max(tonumber(redis.call('GET', KEYS[5]) or 0) + 1, micros)
    id = string.format('%.0f', id)
    redis.call('SET', KEYS[5], id)
    redis.call('HSET', KEYS[3], id, element)
    redis.call('HSET', KEYS[4], id, 1)
    given[#given + 1] = id
    given[#given + 1] = 1
    given[#given + 1] = element
end
return given

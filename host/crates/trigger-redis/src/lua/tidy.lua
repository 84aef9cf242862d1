-- Consumers that are gone and have nothing pending are removed; with ARGV[4] = 1 the stream is cut
-- below everything that some group has not acknowledged.
-- KEYS: stream. ARGV: group, prefix of consumers' names, idle in ms, whether to trim.
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    local about = {}
    for at = 1, #consumer, 2 do
        about[consumer[at]] = consumer[at + 1]
    end
    local ours = string.sub(about['name'], 1, #ARGV[2]) == ARGV[2]
    if ours and about['pending'] == 0 and about['idle'] > tonumber(ARGV[3]) then
        redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], about['name'])
    end
end
if ARGV[4] ~= '1' then
    return 0
end
-- Both halves have 64 bits, which a number of Lua does not hold: they are compared as digits.
local function is_lower(one, other)
    if #one ~= #other then
        return #one < #other
    end
    return one < other
end
local function parts(id)
    return string.match(id, '^(%d+)-(%d+)$')
end
local lowest = nil
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local about = {}
    for at = 1, #group, 2 do
        about[group[at]] = group[at + 1]
    end
    local pending = redis.call('XPENDING', KEYS[1], about['name'])
    local needs = about['last-delivered-id']
    if pending[1] > 0 then
        needs = pending[2]
    end
    if lowest then
        local ms, seq = parts(needs)
        local low_ms, low_seq = parts(lowest)
        if is_lower(ms, low_ms) or (ms == low_ms and is_lower(seq, low_seq)) then
            lowest = needs
        end
    else
        lowest = needs
    end
end
if not lowest then
    return 0
end
return redis.call('XTRIM', KEYS[1], 'MINID', '=', lowest)

-- Entries that are still this consumer's are as if just read; others are left to who has them.
-- KEYS: stream. ARGV: group, consumer, idle in ms, ids.
local mine = {}
for at = 4, #ARGV do
    local found = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[at], ARGV[at], 1, ARGV[2])
    if #found > 0 then
        mine[#mine + 1] = ARGV[at]
    end
end
if #mine > 0 then
    -- `unpack` gives all of its values only at the end of a list.
    local call = { 'XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0 }
    for _, id in ipairs(mine) do
        call[#call + 1] = id
    end
    for _, word in ipairs({ 'IDLE', ARGV[3], 'JUSTID' }) do
        call[#call + 1] = word
    end
    redis.call(unpack(call))
end
return #mine

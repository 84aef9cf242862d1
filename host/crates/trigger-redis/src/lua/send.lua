-- Adds an entry unless it was added before: a sender that did not hear the answer sends again.
-- KEYS: stream, guard. ARGV: how long the guard stays in ms, then fields and values.
if not redis.call('SET', KEYS[2], 1, 'NX', 'PX', ARGV[1]) then
    return 0
end
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))
return 1

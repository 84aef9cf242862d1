-- Adds an entry unless it was added before: a sender that did not hear the answer sends again.
-- KEYS: stream, guard. ARGV: how long the guard stays in ms, then fields and values.
if redis.call('EXISTS', KEYS[2]) == 1 then
    return 0
end
-- What fails here leaves no guard.
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))
redis.call('SET', KEYS[2], 1, 'PX', ARGV[1])
return 1

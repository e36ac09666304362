-- Puts dead letters back into the queue, and rings.
--
-- KEYS  1 list of waiting messages   2 wake list   3 dead   4 stats   5 absent
-- ARGV  two for each letter, oldest first, at most 500:
--           letter   the element as it lies among the dead letters
--           element  what to queue in its place: with its id, without reason and counts
-- Returns how many were put back; the others were not there any more.
--
-- Keeps: each letter is guarded by its own ZREM, so that it is queued once however often this is called, and each first
-- write removes. They go to the left end, behind all that waits: they had their turn, and a thousand revived messages must
-- not hold up a code that somebody waits for now.

local list, wake, dead, stats = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

-- A key of the wrong type must be found before the first write: what is removed from one key must get into the next.
redis.call('LLEN', list)
redis.call('LLEN', wake)
redis.call('ZCARD', dead)
redis.call('HLEN', stats)

local revived, refusal = 0, nil
for base = 1, #ARGV, 2 do
  local died = redis.call('ZSCORE', dead, ARGV[base])
  if redis.call('ZREM', dead, ARGV[base]) == 1 then
    -- Rights are looked at with each command. What may not get into the queue stays where it was.
    local pushed = redis.pcall('LPUSH', list, ARGV[base + 1])
    if type(pushed) == 'table' then
      redis.call('ZADD', dead, died, ARGV[base])
      refusal = pushed
      break
    end
    revived = revived + 1
  end
end

if revived > 0 then
  redis.call('HINCRBY', stats, 'revived', revived)
  if redis.call('LLEN', wake) < 8 then
    redis.call('LPUSH', wake, '1')
  end
end
return refusal or revived

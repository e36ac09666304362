-- Deletes dead letters for good.
--
-- KEYS  1 dead   2 stats
-- ARGV  the elements as they lie among the dead letters, 1 to 500
-- Returns how many were deleted; the others were not there any more.
--
-- Keeps: what is gone is counted, so that the books balance. The first write removes.

redis.call('HLEN', KEYS[2])
local removed = redis.call('ZREM', KEYS[1], unpack(ARGV))
if removed > 0 then
  redis.call('HINCRBY', KEYS[2], 'dead_removed', removed)
end
return removed

-- Puts messages into the queue that are moved here from another one, and rings.
--
-- KEYS  1 list of waiting messages   2 wake list   3 stats   4 arrived: there once this batch is here   5 absent
-- ARGV  1 how long to know that it is, ms   2.. elements, the one that is to be claimed first first
-- Returns how many were put in; 0 where they were before.
--
-- Keeps: a batch arrives once, however often this is called. Meant to be refused at maxmemory, as a push is: until it has
-- arrived, the batch is safe where it comes from.

local list, wake, stats, arrived = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if redis.call('EXISTS', arrived) == 1 then return 0 end

-- A key of the wrong type must be found before the first write.
redis.call('LLEN', list)
local tokens = redis.call('LLEN', wake)
local count = #ARGV - 1
redis.call('HINCRBY', stats, 'moved_in', count)
redis.call('LPUSH', list, unpack(ARGV, 2))
redis.call('SET', arrived, '1', 'PX', ARGV[1])
if tokens < 8 then redis.call('LPUSH', wake, '1') end
return count

-- Forgets a batch of messages that has arrived in the queue that it was moved to.
--
-- KEYS  1 moving   2 stats   3 absent
-- ARGV  1 the name of the batch
-- Returns how many messages of this queue that were; 0 where it was done before.
--
-- Keeps: no other batch is forgotten by a call that comes late. The first write removes.

local moving, stats = KEYS[1], KEYS[2]
redis.call('HLEN', stats)
if redis.call('HGET', moving, 'batch') ~= ARGV[1] then return 0 end
local gone = tonumber(redis.call('HGET', moving, 'gone'))
redis.call('DEL', moving)
redis.call('HINCRBY', stats, 'moved_out', gone)
return gone

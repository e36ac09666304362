-- Sets how many messages may be claimed in a time, or takes that away, and wakes all workers that rest because of it.
--
-- KEYS  1 limit   2 rest   3 absent
-- ARGV  1 '<messages> <ms> <parts>': so many messages in so many ms, of which this queue has one of so many equal parts;
--       '' for no limit   2 for how long it rings, ms
-- Returns 1.
--
-- Keeps: a new limit begins with one message, whatever the last one had left. A full Redis takes it, too: it removes first. It
-- rings for longer than a worker is between two waits, so that none misses it.

-- A key of the wrong type is another's.
redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1])
if ARGV[1] ~= '' then
  redis.call('SET', KEYS[1], ARGV[1])
end
redis.call('DEL', KEYS[2])
redis.call('LPUSH', KEYS[2], '1')
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1

-- Sets how many messages may be claimed in a time, or takes that away.
--
-- KEYS  1 limit   2 absent
-- ARGV  1 '<messages> <ms> <parts>': so many messages in so many ms, of which this queue has one of so many equal parts;
--       '' for no limit
-- Returns 1.
--
-- Keeps: a new limit begins with one message, whatever the last one had left. A full Redis takes it, too: it removes first.

-- A key of the wrong type is another's.
redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1])
if ARGV[1] ~= '' then
  redis.call('SET', KEYS[1], ARGV[1])
end
return 1

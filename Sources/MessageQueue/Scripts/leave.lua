-- Strikes off a life that stops of its own will.
--
-- KEYS  1 workers   2 turns   3 claimed hash of the life   4 health
-- ARGV  1 life
-- Returns 1, or 0 when it still holds claims: they stay, and are recovered when its lease ends.

if redis.call('HLEN', KEYS[3]) > 0 then
  return 0
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.pcall('HDEL', KEYS[4], ARGV[1])
return 1

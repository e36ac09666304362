-- Strikes off a life that stops of its own will.
--
-- KEYS  1 workers   2 turns   3 claimed hash of the life   4 health   5 absent
-- ARGV  1 life
-- Returns how many claims it still holds. 0: it is struck off. Else it stays, and so do they, and are recovered when its
-- lease ends.

local held = redis.call('HLEN', KEYS[3])
-- A key of the wrong type must be found before the first write.
redis.call('HLEN', KEYS[2])
if held > 0 then
  return held
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.pcall('HDEL', KEYS[4], ARGV[1])
return 0

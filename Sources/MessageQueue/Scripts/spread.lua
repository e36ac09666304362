-- Has a shard know over how many shards pushes are spread, unless it knows of a later change.
--
-- KEYS  1 spread, or shard   2 served   3 absent
-- ARGV  1 the number of the change   2 of the shards   3 1: this is a queue's first shard, which knows how many are served
-- Returns what the shard knows now, <number of the change>:<number of shards>.
--
-- Keeps: a shard never goes back to an earlier change, so that a call that was long on its way opens no shard again that was
-- closed to pushes. What is pushed to is served. The first write removes.

local known = redis.call('GET', KEYS[1]) or ''
local generation, shards = string.match(known, '^(%d+):(%d+)$')
generation, shards = tonumber(generation or 0), tonumber(shards or 1)
local new_generation, new_shards = tonumber(ARGV[1]), tonumber(ARGV[2])
if new_generation < generation or (new_generation == generation and new_shards <= shards) then
  return known
end

-- A key of the wrong type must be found before the first write.
local served = ARGV[3] == '1' and tonumber(redis.call('GET', KEYS[2]) or 1) or new_shards
redis.call('DEL', KEYS[1])
known = ARGV[1] .. ':' .. ARGV[2]
redis.call('SET', KEYS[1], known)
if served < new_shards then redis.call('SET', KEYS[2], ARGV[2]) end
return known

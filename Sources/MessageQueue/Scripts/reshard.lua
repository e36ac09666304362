-- Changes how many shards a queue has, as workers serve them and as pushes are spread over them. Of its first shard.
--
-- KEYS  1 spread   2 served   3 absent
-- ARGV  1 spread as the caller knows it, '' for none   2 served as it knows it   3 spread, and 4 served, as they are to be
-- Returns {spread, served}: as they are now. Others than asked for: somebody else has changed them.
--
-- Keeps: each change has a number of its own, because this looks and writes in one step. More shards are served than pushes
-- are spread over, or as many: the caller asks for nothing else. The first write removes.

local spread = redis.call('GET', KEYS[1]) or ''
local served = redis.call('GET', KEYS[2]) or '1'
if spread ~= ARGV[1] or served ~= ARGV[2] then
  return {spread, served}
end
redis.call('DEL', KEYS[1], KEYS[2])
if ARGV[3] ~= '' then redis.call('SET', KEYS[1], ARGV[3]) end
redis.call('SET', KEYS[2], ARGV[4])
return {ARGV[3], ARGV[4]}

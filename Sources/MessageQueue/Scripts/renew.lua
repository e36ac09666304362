-- Extends a worker's lease.
--
-- KEYS  1 workers
-- ARGV  1 life: <name>@<hex>   2 <name>@   3 length of the lease, ms
-- Returns {1, now}. {0, successor}: the life is not registered any more, or is being recovered; successor is a newer life
--       of the same name that took its place, '' where there is none.
--
-- Keeps: a lease that another has taken over never comes back to life. The first write removes.

local workers, life, name = KEYS[1], ARGV[1], ARGV[2]
local lease_end = redis.call('ZSCORE', workers, life)

if not lease_end or tonumber(lease_end) == 0 then
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', workers, '(0', '+inf')) do
    if other ~= life and string.sub(other, 1, #name) == name then
      return {0, other}
    end
  end
  return {0, ''}
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREM', workers, life)
redis.call('ZADD', workers, now + tonumber(ARGV[3]), life)
return {1, now}

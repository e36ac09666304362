-- Extends a worker's lease, and records when a claim of the worker's last succeeded.
--
-- KEYS  1 workers   2 health
-- ARGV  1 life: <name>@...   2 <name>@   3 length of the lease, ms   4 how long ago that was, ms; '' for never
-- Returns {renewed, now, life...}: 1, or 0 when the life is not registered any more, or is being recovered; Redis' time in
--       ms; the other lives of the same name whose leases hold.
--
-- Keeps: a lease that another has taken over never comes back to life. The first write removes.

local workers, health, life, name = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local lease_end = redis.call('ZSCORE', workers, life)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local answer = {0, now}
for _, other in ipairs(redis.call('ZRANGEBYSCORE', workers, '(' .. now, '+inf')) do
  if other ~= life and string.sub(other, 1, #name) == name then answer[#answer + 1] = other end
end

if not lease_end or tonumber(lease_end) == 0 then
  return answer
end
answer[1] = 1

redis.call('ZREM', workers, life)
redis.call('ZADD', workers, now + tonumber(ARGV[3]), life)
if ARGV[4] ~= '' then
  -- pcall: should health be a key of another type, that is no reason to lose the lease.
  redis.pcall('HSET', health, life, now - tonumber(ARGV[4]))
end
return answer

-- Extends a worker's lease, records when a claim of the worker's last succeeded, and cuts impossible leases of others.
--
-- KEYS  1 workers   2 health   3 claimed hash of the life   4 served   5 absent
-- ARGV  1 life: <name>@...   2 <name>@   3 length of the lease, ms   4 how long ago that was, ms; '' for never
-- Returns {renewed, now, held, shards, life...}: 1, or 0 when the life is not registered any more, or is being recovered;
--       Redis' time in ms; how many claims the life holds, 0 where it is not renewed; how many shards of the queue are to be
--       served, 0 where that is not known; the other lives of the same name whose leases hold.
--
-- Keeps: a lease that another has taken over never comes back to life. No lease ends later than its own length from now:
-- after Redis' clock was set back, the lease of a worker that crashed would hold for as long as the clock went back. A lease
-- that is right is never cut. The first write removes.

local workers, health, life, name = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local lease_end = redis.call('ZSCORE', workers, life)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- pcall, here and below: should another key be of a wrong type, that is no reason to lose the lease.
local served = redis.pcall('GET', KEYS[4])
local shards = not served and 1 or type(served) == 'string' and tonumber(served) or 0

local answer = {0, now, 0, shards}
local holding = redis.call('ZRANGEBYSCORE', workers, '(' .. now, '+inf', 'WITHSCORES')
for position = 1, #holding, 2 do
  local other = holding[position]
  if other ~= life and string.sub(other, 1, #name) == name then answer[#answer + 1] = other end
end

if not lease_end or tonumber(lease_end) == 0 then
  return answer
end
answer[1] = 1

local held = redis.pcall('HLEN', KEYS[3])
if type(held) == 'number' then answer[3] = held end

redis.call('ZREM', workers, life)
redis.call('ZADD', workers, now + tonumber(ARGV[3]), life)

local function health_of(any_life)
  local value = redis.pcall('HGET', health, any_life)
  return type(value) == 'string' and value or ''
end

local last_claim = ARGV[4] ~= '' and now - tonumber(ARGV[4]) or string.match(health_of(life), '^%S+') or '-'
redis.pcall('HSET', health, life, last_claim .. ' ' .. ARGV[3])

for position = 1, #holding, 2 do
  local other = holding[position]
  -- Not known of a life that an older version wrote.
  local length = tonumber(string.match(health_of(other), '^%S+ (%d+)$'))
  if other ~= life and length and tonumber(holding[position + 1]) > now + length then
    redis.call('ZADD', workers, now + length, other)
  end
end
return answer

-- Registers one life of a worker, or registers it anew.
--
-- KEYS  1 workers
-- ARGV  1 life: <name>@<hex>   2 <name>@   3 length of the lease, ms
-- Returns {now, life...}: Redis' time in ms, and the other lives of the same name, which are older than this one.
--
-- Keeps: a life that is fenced stays so: a call that was long on its way must not bring it back. The first
-- write removes, so that a worker can start, and drain, while Redis is full.

local workers, life, name = KEYS[1], ARGV[1], ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if tonumber(redis.call('ZSCORE', workers, life) or -1) ~= 0 then
  redis.call('ZREM', workers, life)
  redis.call('ZADD', workers, now + tonumber(ARGV[3]), life)
end

local others = {}
for _, other in ipairs(redis.call('ZRANGE', workers, 0, -1)) do
  if other ~= life and string.sub(other, 1, #name) == name then
    others[#others + 1] = other
  end
end
return {now, unpack(others)}

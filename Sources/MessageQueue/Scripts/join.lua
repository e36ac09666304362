-- Registers one life of a worker, or registers it anew, and records the length of its lease.
--
-- KEYS  1 workers   2 health   3 absent
-- ARGV  1 life: <name>@<hex>   2 <name>@   3 length of the lease, ms
-- Returns {now, life...}: Redis' time in ms, and the other lives of the same name, which are older than this one.
--
-- Keeps: a life that is fenced stays so: a call that was long on its way must not bring it back. The first
-- write removes, so that a worker can start, and drain, while Redis is full.

local workers, health, life, name = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if tonumber(redis.call('ZSCORE', workers, life) or -1) ~= 0 then
  redis.call('ZREM', workers, life)
  redis.call('ZADD', workers, now + tonumber(ARGV[3]), life)
  -- pcall: should health be a key of another type, that is no reason not to start.
  local known = redis.pcall('HGET', health, life)
  local last_claim = type(known) == 'string' and string.match(known, '^%S+') or '-'
  redis.pcall('HSET', health, life, last_claim .. ' ' .. ARGV[3])
end

local others = {}
for _, other in ipairs(redis.call('ZRANGE', workers, 0, -1)) do
  if other ~= life and string.sub(other, 1, #name) == name then
    others[#others + 1] = other
  end
end
return {now, unpack(others)}

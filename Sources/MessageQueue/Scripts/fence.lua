-- Takes a life's claims away from it, because its lease has ended or a newer life of the same name has begun, and hands
-- out some of them to be settled. To be called until it returns no claims.
--
-- KEYS  1 workers   2 turns   3 claimed hash of that life   4 health
-- ARGV  1 life   2 1: fence it even while its lease holds (superseded)   3 most claims to hand out
-- Returns {1, claim id, element, ...}: the newest claims first, none when all are settled and the life is struck off.
--       {0}: nothing to do: the life is gone, or its lease holds.
--
-- Keeps: no claimed hash is without an entry in workers until it is empty. Lease end 0 marks a fenced life: it can neither
-- claim nor settle nor renew. The first write removes.

local workers, turns, claimed, life = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local lease_end = tonumber(redis.call('ZSCORE', workers, life) or -1)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if lease_end < 0 or (lease_end > now and ARGV[2] ~= '1') then
  return {0}
end

local ids = redis.call('HKEYS', claimed)
redis.call('ZREM', workers, life)
if #ids == 0 then
  redis.call('HDEL', turns, life)
  redis.pcall('HDEL', KEYS[4], life)
  return {1}
end
redis.call('ZADD', workers, 0, life)

table.sort(ids, function(a, b) return a > b end)
local handed_out = {1}
for position = 1, math.min(#ids, tonumber(ARGV[3])) do
  handed_out[#handed_out + 1] = ids[position]
  handed_out[#handed_out + 1] = redis.call('HGET', claimed, ids[position])
end
return handed_out

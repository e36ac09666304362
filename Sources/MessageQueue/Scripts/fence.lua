-- Takes a life's claims away from it, because its lease has ended or its process is gone, and hands out some of them to be
-- settled. To be called until none remain.
--
-- KEYS  1 workers   2 turns   3 claimed hash of that life   4 health   5 absent
-- ARGV  1 life   2 prefix of its claim ids   3 1: fence it even while its lease holds, because its process is gone
--       4 most claims to hand out   5 the greatest payload to hand out, bytes   6 most bytes that the claims may have; one
--       may have more
-- Returns {1, remaining, claim id, element, ...}: how many claims the life has left, 0 when all are settled and it is struck
--       off; and some of them, the newest first, perhaps none yet. In place of an element whose payload is too large stand
--       its header line, '' for none, and its bytes.
--       {0}: nothing to do: the life is gone, or its lease holds.
--
-- Keeps: no claimed hash is without an entry in workers until it is empty. Lease end 0 marks a fenced life: it can neither
-- claim nor settle nor renew. The first write removes. A call costs what it hands out, however many claims there are: it
-- goes down from the number that turns holds, below which all claims stand, and brings that down with it.

local workers, turns, claimed, life, prefix = KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2]
local limit, largest, most_bytes = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local lease_end = tonumber(redis.call('ZSCORE', workers, life) or -1)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if lease_end < 0 or (lease_end > now and ARGV[3] ~= '1') then
  return {0}
end

local remaining = redis.call('HLEN', claimed)
local above = tonumber(redis.call('HGET', turns, life) or 0) or 0
redis.call('ZREM', workers, life)
if remaining == 0 then
  redis.call('HDEL', turns, life)
  redis.pcall('HDEL', KEYS[4], life)
  return {1, 0}
end
redis.call('ZADD', workers, 0, life)

local answer, bytes = {1, remaining}, 0

-- Whether the next claim may be handed out as well.
local function hand_out(id)
  bytes = bytes + redis.call('HSTRLEN', claimed, id)
  if bytes > most_bytes and #answer > 2 then return false end
  local element = redis.call('HGET', claimed, id)
  answer[#answer + 1] = id
  if #element > largest then
    local header = string.match(string.sub(element, 1, 8192), '^smsq1 {[^\n]*\n') or ''
    element = #element - #header > largest and {header, #element} or element
  end
  answer[#answer + 1] = element
  return #answer < 2 + 2 * limit
end

if remaining > limit and above > 0 then
  -- A long way without claims is gone in several calls.
  local passed = 0
  for number = above - 1, 0, -1 do
    local id = prefix .. string.format('%010x', number)
    if redis.call('HEXISTS', claimed, id) == 1 then
      if not hand_out(id) then break end
    elseif #answer == 2 then
      above = number
    end
    passed = passed + 1
    if passed == 4 * limit then break end
  end
  redis.call('HSET', turns, life, above)
else
  -- They are few. Or they stand under no numbers of this life: another program's work, and no order is theirs.
  local ids = redis.call('HKEYS', claimed)
  table.sort(ids, function(a, b) return a > b end)
  for _, id in ipairs(ids) do
    if not hand_out(id) then break end
  end
end
return answer

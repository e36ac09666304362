-- Hands out claims of a living worker that the worker does not know of. Writes nothing.
--
-- KEYS  1 workers   2 claimed hash of the life
-- ARGV  1 life   2 prefix of its claim ids
--       3 number of the next claim, in ten or more hexadecimal digits: those from here on are on their way to the worker, or
--       will be handed to it by claim
--       4 most claims to hand out   5 the greatest payload to hand out, bytes   6 most bytes that the claims may have; one
--       may have more   7.. the numbers of the claims that the worker knows of, as 3
-- Returns {1, unknown, claim id, element, ...}: how many claims the worker does not know of, and some of them, the newest
--       first. In place of an element whose payload is too large stand its header line, '' for none, and its bytes.
--       {0}: the worker is not registered any more, its claims are another's.
--
-- Keeps: everything as it is. What it hands out is there because Redis went back to an earlier state, in a failover or a
-- crash, in which it was not settled yet. Nobody has it in hand, and the lease that the worker renews would keep it for ever.

local workers, claimed, life, prefix = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local limit, largest, most_bytes = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

local lease_end = redis.call('ZSCORE', workers, life)
if not lease_end or tonumber(lease_end) == 0 then
  return {0}
end

local known = {}
for position = 7, #ARGV do known[prefix .. ARGV[position]] = true end

local unknown = {}
for _, id in ipairs(redis.call('HKEYS', claimed)) do
  local number = string.sub(id, 1, #prefix) == prefix and string.match(id, '^%x+$', #prefix + 1)
  local is_coming = number and tonumber(number, 16) >= tonumber(ARGV[3], 16)
  if not known[id] and not is_coming then unknown[#unknown + 1] = id end
end
table.sort(unknown, function(a, b) return a > b end)

local answer, bytes = {1, #unknown}, 0
for position = 1, math.min(limit, #unknown) do
  local id = unknown[position]
  bytes = bytes + redis.call('HSTRLEN', claimed, id)
  if bytes > most_bytes and position > 1 then break end
  local element = redis.call('HGET', claimed, id)
  if #element > largest then
    local header = string.match(string.sub(element, 1, 8192), '^smsq1 {[^\n]*\n') or ''
    element = #element - #header > largest and {header, #element} or element
  end
  answer[#answer + 1] = id
  answer[#answer + 1] = element
end
return answer

-- Reads dead letters, the oldest first. Writes nothing.
--
-- KEYS  1 dead
-- ARGV  1 the first time of death, and 2 the last, as ZRANGEBYSCORE takes them   3 how many of those to pass over
--       4 most letters   5 most bytes; one letter may have more
-- Returns {element, time of death, ...} in turn; nothing where there are no more.

local dead, from, to, skipped = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local most = math.min(tonumber(ARGV[4]), redis.call('ZCOUNT', dead, from, to) - skipped)
local most_bytes = tonumber(ARGV[5])
local answer, bytes = {}, 0

-- By rank: to pass over letters takes its time with each call.
local rank = (from == '-inf' and 0 or redis.call('ZCOUNT', dead, '-inf', '(' .. from)) + skipped

-- In groups, because only a letter that is here tells its size.
while #answer < 2 * most and bytes < most_bytes do
  local count = #answer / 2
  local size = count == 0 and 1 or math.min(16, most - count)
  local group = redis.call('ZRANGE', dead, rank + count, rank + count + size - 1, 'WITHSCORES')
  for position = 1, #group, 2 do
    bytes = bytes + #group[position]
    if bytes > most_bytes and #answer > 0 then return answer end
    answer[#answer + 1] = group[position]
    answer[#answer + 1] = group[position + 1]
  end
end
return answer

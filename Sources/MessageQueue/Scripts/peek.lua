-- Shows the messages that are next in line, and leaves them there.
--
-- KEYS  1 list of waiting messages
-- ARGV  1 most messages   2 most bytes; one message may have more
-- Returns {left, element...}: how many of those that were asked for had no room, and the others, the next in line first.

local list, most_bytes = KEYS[1], tonumber(ARGV[2])
local most = math.min(tonumber(ARGV[1]), redis.call('LLEN', list))
local answer, bytes = {0}, 0

-- In groups, because only an element that is here tells its size.
while #answer <= most and bytes < most_bytes do
  local count = #answer - 1
  local size = count == 0 and 1 or math.min(16, most - count)
  local group = redis.call('LRANGE', list, -count - size, -count - 1)
  for position = size, 1, -1 do
    bytes = bytes + #group[position]
    if bytes > most_bytes and #answer > 1 then break end
    answer[#answer + 1] = group[position]
  end
end
answer[1] = most - (#answer - 1)
return answer

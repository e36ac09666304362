-- Looks through one page of messages, the newest first, for those that have a text in them. Writes nothing.
--
-- KEYS  1 list of waiting messages, later, or dead
-- ARGV  1 list or zset: which of them   2 how many messages to pass over   3 most to look at   4 most bytes to look at; one
--       message may have more   5.. texts, one of which a message is to have in it; '' is in each
-- Returns {looked, all, place, element, score, ...}: how many messages were looked at, 0 at the end; how many there are; and
--       for each that was found how many are newer, and its score, '' in the list.
--
-- A caller that goes on behind what was looked at misses none that stays: what comes in comes in before the place, and what
-- workers take goes behind it, from the other end. What a person takes out of the middle is counted, for the caller to see.

local key, from, most, most_bytes = KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local is_list = ARGV[1] == 'list'
local all = redis.call(is_list and 'LLEN' or 'ZCARD', key)
local find, answer, looked, bytes, size = string.find, {0, all}, 0, 0, 1

local function is_wanted(element)
  for position = 5, #ARGV do
    if find(element, ARGV[position], 1, true) then return true end
  end
  -- JSON may write any character so: who knows what it says has to read it.
  return find(element, '\\u00', 1, true)
end

-- In groups, because only an element that is here tells its size: one alone, four times as many while they are small.
local step = is_list and 1 or 2
while looked < most and bytes < most_bytes do
  local first, before = from + looked, bytes
  local last = first + math.min(size, most - looked) - 1
  local group = is_list and redis.call('LRANGE', key, first, last)
    or redis.call('ZREVRANGE', key, first, last, 'WITHSCORES')
  if #group == 0 then break end
  for position = 1, #group, step do
    local element = group[position]
    bytes = bytes + #element
    if bytes > most_bytes and looked > 0 then break end
    if is_wanted(element) then
      answer[#answer + 1] = from + looked
      answer[#answer + 1] = element
      answer[#answer + 1] = is_list and '' or group[position + 1]
    end
    looked = looked + 1
  end
  size = bytes - before <= size * 4096 and math.min(64, 4 * size) or 1
end
answer[1] = looked
return answer

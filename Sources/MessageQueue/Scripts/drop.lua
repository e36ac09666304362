-- Has dead letters that are over the bounds fall off, in two calls: the first hands them out, to be logged whole; the next
-- removes those that were logged.
--
-- KEYS  1 dead   2 stats   3 dropping   4 workers   5 absent
-- ARGV  1 life   2 ms for which no other life is handed letters after this one was
--       3 most dead letters to keep, 0: no bound   4 their greatest age, ms, 0: no bound
--       5 most bytes to hand out; one letter may have more
--       6.. what was handed out and has been logged, at most 100: elements as they lie among the dead letters
-- Returns {1, element...}: letters that are over the bounds, the oldest first, 100 at most. {0}: there may be some, but
--       another life, whose lease holds, was handed them just now.
--
-- Keeps: a letter is removed only by its name, once it was logged, and is counted as it goes, so that a repeat does no
-- harm; and only while it is over the bounds, so that one that was revived and died again is not taken for the older one.
-- Two lives are not handed the same letters, unless the first one crashes or is slow. The first write removes.

local dead, stats, dropping, life = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local most, age, most_bytes = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

-- A key of the wrong type must be found before the first write.
redis.call('ZCARD', dead)
redis.call('HLEN', stats)
local other = redis.call('GET', dropping)
local lease_end = tonumber(other and redis.call('ZSCORE', KEYS[4], other) or 0)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- At most 100, so that a call stays short.
local function over()
  local aged = age > 0 and redis.call('ZCOUNT', dead, '-inf', now - age) or 0
  local surplus = most > 0 and redis.call('ZCARD', dead) - most or 0
  local wanted = math.min(100, math.max(aged, surplus))
  local letters, bytes = {}, 0
  -- In groups, because only a letter that is here tells its size.
  while #letters < wanted and bytes < most_bytes do
    local size = #letters == 0 and 1 or math.min(16, wanted - #letters)
    for _, letter in ipairs(redis.call('ZRANGE', dead, #letters, #letters + size - 1)) do
      bytes = bytes + #letter
      if bytes > most_bytes and #letters > 0 then return letters end
      letters[#letters + 1] = letter
    end
  end
  return letters
end

-- Not whether it is among those that would be handed out now: letters of one millisecond stand by their names, so that a
-- hundred others may have come in before it.
local function is_over(letter)
  local died = redis.call('ZSCORE', dead, letter)
  if not died then return false end
  return age > 0 and tonumber(died) <= now - age
    or most > 0 and redis.call('ZRANK', dead, letter) < redis.call('ZCARD', dead) - most
end

local gone = {}
for position = 6, #ARGV do
  if is_over(ARGV[position]) then gone[#gone + 1] = ARGV[position] end
end
if #gone > 0 then
  redis.call('HINCRBY', stats, 'dead_dropped', redis.call('ZREM', dead, unpack(gone)))
end

local letters = over()
-- Not by the expiry alone: after Redis' clock was set back, that is as far away as the clock went.
if #letters > 0 and other and other ~= life and lease_end > now then
  return {0}
end
-- Redis at maxmemory refuses a script whose first write adds.
redis.call('DEL', dropping)
if #letters > 0 then
  redis.call('SET', dropping, life, 'PX', ARGV[2])
end
return {1, unpack(letters)}

-- Queues messages and rings, in one atomic step.
--
-- KEYS  1 list of waiting messages   2 wake list   3 later   4 stats   5.. one key for each caller's id
-- ARGV  1 most messages that may wait (0: no bound)
--       2 how long a caller's id is remembered, ms
--       3.. three for each message:
--           due      0 at once; negative: so many ms from now; positive: Unix time in ms (Redis' clock)
--           id key   index in KEYS of the caller's id; 0 where the caller gave none
--           payload
-- Returns {queued, waiting, position...}: how many were queued or scheduled, how many now wait, and the positions (from
--       1) of those that were not, because their id was used before. {-1, waiting}: refused as a whole, the queue is full.
--
-- Keeps: a message is whole in the list (or in later) or nowhere; the caller makes scheduled payloads distinct, because a
-- sorted set holds one of a kind. An id is marked as used only after its message is in, so that an error on the way never
-- makes the retry look like a duplicate. At maxmemory the first write is refused, and with it everything.

local list, wake, later, stats = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local most, remember = tonumber(ARGV[1]), tonumber(ARGV[2])
local messages = (#ARGV - 2) / 3

-- A key of the wrong type must be found before the first write, so that nothing is half done.
local waiting = redis.call('LLEN', list)
redis.call('LLEN', wake)
redis.call('ZCARD', later)
redis.call('HLEN', stats)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- The answer is filled in as it goes: unpack() at its end would fail, after the writes, for thousands of duplicates.
local answer = {0, 0}
local at_once, scheduled, used, seen_here = {}, {}, {}, {}
for message = 1, messages do
  local base = 3 * message
  local due, id_key, payload = tonumber(ARGV[base]), KEYS[tonumber(ARGV[base + 1])], ARGV[base + 2]
  if id_key and (seen_here[id_key] or redis.call('EXISTS', id_key) == 1) then
    answer[#answer + 1] = message
  else
    if id_key then
      seen_here[id_key] = true
      used[#used + 1] = id_key
    end
    if due < 0 then due = now - due end
    if due > now then
      scheduled[#scheduled + 1] = {due, payload}
    else
      at_once[#at_once + 1] = payload
    end
  end
end

if most > 0 and #at_once > 0 and waiting + #at_once > most then
  return {-1, waiting}
end

-- unpack() puts its values on Lua's stack, which takes some 8,000.
for first = 1, #at_once, 1000 do
  waiting = redis.call('LPUSH', list, unpack(at_once, first, math.min(first + 999, #at_once)))
end
for _, message in ipairs(scheduled) do
  redis.call('ZADD', later, message[1], message[2])
end
for _, id_key in ipairs(used) do
  redis.call('SET', id_key, '1', 'PX', remember)
end

local queued = #at_once + #scheduled
if queued > 0 then
  redis.call('HINCRBY', stats, 'pushed', queued)
end
if #at_once > 0 and redis.call('LLEN', wake) < 8 then
  redis.call('LPUSH', wake, '1')
end
answer[1], answer[2] = queued, waiting
return answer

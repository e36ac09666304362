-- Queues messages and rings, in one atomic step.
--
-- KEYS  1 list of waiting messages   2 wake list   3 later   4 stats   5 spread, or shard
--       6.. one key for each caller's id, and the last one, absent
-- ARGV  1 most messages that may wait (0: no bound)
--       2 how long a caller's id is remembered, ms
--       3 over how many shards the caller spreads its messages, as 5 should have it; '' for one
--       4 how many runs of messages there are, the first to be claimed first
--       5.. of each run
--           due      0 at once; negative: so many ms from now; positive: Unix time in ms (Redis' clock)
--           id key   index in KEYS of the first message's id, with those of the others behind it; 0: they have none
--           count    of messages in the run
--       .. the payloads, run after run
-- Returns {queued, waiting, position...}: how many were queued or scheduled, how many now wait, and the positions (from
--       1) of those that were not, because their id was used before. {-1, waiting}: refused as a whole, the queue is full.
--       {-2, spread}: refused as a whole, it is spread over another number of shards; '' where none is known.
--
-- Keeps: a message is whole in the list (or in later) or nowhere; the caller makes scheduled payloads distinct, because a
-- sorted set holds one of a kind. An id is marked as used only after its message is in, so that an error on the way never
-- makes the retry look like a duplicate. An id is looked for in the shard that has it, and nothing is pushed to a shard
-- that is to be no more, however old is what the caller knows of the shards: it is compared. At maxmemory the first write
-- is refused, and with it everything.

local list, wake, later, stats = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- A key of the wrong type must be found before the first write, so that nothing is half done. Each call to Redis costs a
-- single push microseconds, so none is made that is not needed.
local spread = redis.call('GET', KEYS[5]) or ''
if spread ~= ARGV[3] and not (ARGV[3] == '' and string.match(spread, ':1$')) then
  return {-2, spread}
end
local waiting = redis.call('LLEN', list)
local tokens = redis.call('LLEN', wake)

-- One message alone, to be queued at once and without an id: somebody waits for it, and what follows would only slow it
-- down. The bell comes first, so that Redis lets its worker go on first.
if #ARGV == 8 and ARGV[4] == '1' and ARGV[5] == '0' and ARGV[6] == '0' and (ARGV[1] == '0' or waiting < tonumber(ARGV[1])) then
  redis.call('HINCRBY', stats, 'pushed', '1')
  if tokens < 8 then redis.call('LPUSH', wake, '1') end
  return {1, redis.call('LPUSH', list, ARGV[8])}
end

local most, remember, runs = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[4])

local function is_full(count)
  return most > 0 and count > 0 and waiting + count > most
end

-- unpack() puts its values on Lua's stack, which takes some 8,000.
local function in_pieces(first, last, action)
  for piece = first, last, 1000 do
    action(piece, math.min(piece + 999, last))
  end
end

local function push(payloads, first, last)
  in_pieces(first, last, function(from, to)
    waiting = redis.call('LPUSH', list, unpack(payloads, from, to))
  end)
end

local function ring()
  if tokens < 8 then redis.call('LPUSH', wake, '1') end
end

-- One run, to be queued at once and without ids: a single push, or a file of them. What follows this would only slow it
-- down, and so would the writing of its count as a number.
if runs == 1 and ARGV[5] == '0' and ARGV[6] == '0' then
  local count = tonumber(ARGV[7])
  if is_full(count) then return {-1, waiting} end
  redis.call('HINCRBY', stats, 'pushed', ARGV[7])
  push(ARGV, 8, 7 + count)
  ring()
  return {count, waiting}
end

local now
local function due_time(due)
  if due == 0 then return 0 end
  if not now then
    redis.call('ZCARD', later)
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return due < 0 and now - due or due
end

-- The answer is filled in as it goes: unpack() at its end would fail, after the writes, for thousands of duplicates.
local answer = {0, 0}
local used, seen_here = {}, {}

-- The payloads of the messages whose id was not used before.
local function new_ones(id_key, first, count, position)
  local any_known = 0
  in_pieces(id_key, id_key + count - 1, function(from, to)
    any_known = any_known + redis.call('EXISTS', unpack(KEYS, from, to))
  end)
  local payloads = {}
  for offset = 0, count - 1 do
    local key = KEYS[id_key + offset]
    if seen_here[key] or (any_known > 0 and redis.call('EXISTS', key) == 1) then
      answer[#answer + 1] = position + offset
    else
      seen_here[key] = true
      used[#used + 1] = key
      payloads[#payloads + 1] = ARGV[first + offset]
    end
  end
  return payloads
end

-- Runs without ids are queued from ARGV as they are: nothing is done for a single message of them.
local at_once, at_once_count, scheduled = {}, 0, {}
local position, before_payloads = 1, 4 + 3 * runs
for run = 1, runs do
  local due = due_time(tonumber(ARGV[3 * run + 2]))
  local id_key, count = tonumber(ARGV[3 * run + 3]), tonumber(ARGV[3 * run + 4])
  local payloads, first, last = ARGV, before_payloads + position, before_payloads + position + count - 1
  if id_key > 0 then
    payloads = new_ones(id_key, first, count, position)
    first, last = 1, #payloads
  end
  if due > 0 and due > now then
    for i = first, last do scheduled[#scheduled + 1] = {due, payloads[i]} end
  else
    at_once[#at_once + 1] = {payloads, first, last}
    at_once_count = at_once_count + last - first + 1
  end
  position = position + count
end

if is_full(at_once_count) then return {-1, waiting} end

local queued = at_once_count + #scheduled
if queued > 0 then
  -- First, because it fails where this is no hash.
  redis.call('HINCRBY', stats, 'pushed', queued)
end
for _, run in ipairs(at_once) do
  push(unpack(run))
end
for _, message in ipairs(scheduled) do
  redis.call('ZADD', later, message[1], message[2])
end
for _, id_key in ipairs(used) do
  -- Its value and the time that it has left tell when it was accepted.
  redis.call('SET', id_key, ARGV[2], 'PX', remember)
end
if at_once_count > 0 then ring() end
answer[1], answer[2] = queued, waiting
return answer

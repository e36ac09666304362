-- Takes messages out of the queue that were found there: for good, or to be moved to another one.
--
-- KEYS  1 list of waiting messages   2 wake list   3 later   4 stats   5 moving
--       6.. ids of callers, and records, and the last one, absent
-- ARGV  1 what they count as, cancelled or purged; '' where they go into moving
--       2 of moving: the list that they go to   3 of moving: the name of this batch   4 how long to keep records, ms
--       5 how deep in the list one may lie, from its nearer end, to be taken out of it
--       then six for each message, those that are to be first in line first:
--           place     where it was found: later; oldest, for the right end of the list; or how many in the list were newer
--           element   as it lies there
--           stand-in  what is to lie in its place where that is too deep; '' for nothing
--           id key    index in KEYS of the id that its caller gave it; 0: it has none
--           record    index in KEYS of the record of what became of it; 0 for none
--           text      of that record
-- Returns a number for each message: 0 it is not there any more, or somewhere else; 1 it was taken out; 2 the stand-in lies
--       in its place; 3 it is too deep; 4 it was not looked for, because the others took long enough. {-1}: moving holds a batch that has to be finished first; nothing was done.
--
-- Keeps: a message is taken by the element that it is, so that one in a worker's hand is never taken, and one that was taken
-- never claimed. Only one that went frees its id. What goes into moving is there before it is gone here. To find an element by
-- its place costs nothing to speak of; to take it out costs a look at each one between it and the end, hence the depth. The
-- first write removes.

local list, wake, later, stats, moving = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local counter, keep, deepest = ARGV[1], ARGV[4], tonumber(ARGV[5])
local moves = counter == ''

-- A key of the wrong type must be found before the first write: what is removed from one key must get into the next.
redis.call('LLEN', list)
redis.call('LLEN', wake)
redis.call('ZCARD', later)
redis.call('HLEN', stats)
if redis.call('HLEN', moving) > 0 and moves then return {-1} end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- At maxmemory a script whose first write adds is refused.
redis.call('LTRIM', wake, 0, 7)

-- How many messages Redis has passed to get at those that are taken. To step over some hundred is as quick as to compare one.
local passed = 0

-- How many are newer than it by now: pushes have moved it away from where it was found.
local bytes = 0
local function place_of(element, found_at)
  passed = passed + math.min(found_at, math.max(0, redis.call('LLEN', list) - found_at)) / 100
  if redis.call('LINDEX', list, found_at) == element then return found_at end
  local place, last = found_at + 1, found_at + 2000
  while place < last and bytes < 1048576 do
    local group = redis.call('LRANGE', list, place, place + 15)
    if #group == 0 then return nil end
    for offset, other in ipairs(group) do
      if other == element then return place + offset - 1 end
      bytes = bytes + #other
    end
    place = place + #group
    passed = passed + 20 * #group
  end
end

local function take(place, element, stand_in)
  if passed > 2 * deepest then return 4 end
  if place == 'later' then return redis.pcall('ZREM', later, element) end
  if place == 'oldest' then
    if redis.call('LINDEX', list, -1) ~= element then return 0 end
    local taken = redis.pcall('RPOP', list)
    return type(taken) == 'table' and taken or 1
  end
  local newer = place_of(element, tonumber(place))
  if not newer then return 0 end
  local older = redis.call('LLEN', list) - 1 - newer
  if math.min(newer, older) <= deepest then
    passed = passed + math.min(newer, older)
    return redis.pcall('LREM', list, newer < older and 1 or -1, element)
  end
  if stand_in == '' then return 3 end
  local set = redis.pcall('LSET', list, newer, stand_in)
  return set.err and set or 2
end

local answer, gone, refusal = {}, 0, nil
for base = 6, #ARGV, 6 do
  local place, element, stand_in, id_key, record, text = unpack(ARGV, base, base + 5)
  local field = tostring(#answer + 1)
  local put = moves and redis.pcall('HSET', moving, field, element) or 0
  if type(put) == 'table' then
    refusal = put
    break
  end
  local taken = take(place, element, stand_in)
  -- Rights are looked at with each command. What may not be taken stays where it is.
  if type(taken) == 'table' then
    refusal = taken
    taken = 0
  end
  local went = taken == 1 or taken == 2
  if taken == 1 then gone = gone + 1 end
  if moves and not went then redis.call('HDEL', moving, field) end
  if went and not moves then
    if id_key ~= '0' then redis.call('DEL', KEYS[tonumber(id_key)]) end
    if record ~= '0' then redis.pcall('SET', KEYS[tonumber(record)], now .. ' ' .. text, 'PX', keep) end
  end
  answer[#answer + 1] = taken
  if refusal then break end
end

if moves and redis.call('HLEN', moving) > 0 then
  redis.call('HSET', moving, 'to', ARGV[2], 'batch', ARGV[3], 'gone', gone)
elseif gone > 0 then
  redis.call('HINCRBY', stats, counter, gone)
end
return refusal or answer

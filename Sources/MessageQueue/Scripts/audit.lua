-- Checks, at one instant, what the other scripts promise to keep. Writes nothing.
--
-- KEYS  1 list of waiting messages   2 wake   3 later   4 dead   5 stats   6 paused   7 workers   8 turns   9 health
--       10 dropping   11 served   12 spread   13 shard   14 moving   15 limit
-- ARGV  1 what the key of a claimed hash begins with   2.. lives that a claimed hash was found of
-- Returns {now, plain, wrong, strays, turns, health, leases}: Redis' time in ms; how many messages there are, or were,
--       that no script counted as pushed, negative: messages are missing; keys of a wrong type, as key, type found, type
--       wanted in turn; lives with claims that are not among the workers, and the number of their claims, in turn; lives
--       in turns, and in health, that are not among the workers; lives and the ends of their leases in ms, in turn.
--       With a key of a wrong type, plain is 0 and all that follows it is empty: nothing else could be counted.
--
-- The claimed hashes are not in KEYS: SCAN finds their names, before this script runs and outside of it, because it would
-- block Redis for as long as it takes. A name that is out of date by then does no harm: it stands for an empty hash or for
-- one whose owner is there.

local types = {'list', 'list', 'zset', 'zset', 'hash', 'string', 'zset', 'hash', 'hash', 'string', 'string', 'string',
  'string', 'hash', 'string'}
local prefix = ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local wrong = {}
local function check(key, wanted)
  local found = redis.call('TYPE', key)['ok']
  if found ~= 'none' and found ~= wanted then
    wrong[#wrong + 1] = key
    wrong[#wrong + 1] = found
    wrong[#wrong + 1] = wanted
  end
end

for index, key in ipairs(KEYS) do
  check(key, types[index])
end
for index = 2, #ARGV do
  check(prefix .. ARGV[index], 'hash')
end
if #wrong > 0 then
  return {now, 0, wrong, {}, {}, {}, {}}
end

local messages = redis.call('LLEN', KEYS[1]) + redis.call('ZCARD', KEYS[3]) + redis.call('ZCARD', KEYS[4])
local registered, leases = {}, {}
local workers = redis.call('ZRANGE', KEYS[7], 0, -1, 'WITHSCORES')
for position = 1, #workers, 2 do
  local life = workers[position]
  registered[life] = true
  messages = messages + redis.call('HLEN', prefix .. life)
  leases[#leases + 1] = life
  leases[#leases + 1] = workers[position + 1]
end

local strays = {}
for index = 2, #ARGV do
  local life = ARGV[index]
  local claims = registered[life] and 0 or redis.call('HLEN', prefix .. life)
  if claims > 0 then
    messages = messages + claims
    strays[#strays + 1] = life
    strays[#strays + 1] = claims
  end
end

local function unregistered(key)
  local lives = {}
  for _, life in ipairs(redis.call('HKEYS', key)) do
    if not registered[life] then lives[#lives + 1] = life end
  end
  return lives
end

local function counter(name)
  return tonumber(redis.call('HGET', KEYS[5], name) or 0) or 0
end

messages = messages + (tonumber(redis.call('HGET', KEYS[14], 'gone') or 0) or 0)
local gone = counter('sent') + counter('expired') + counter('dead_dropped') + counter('dead_removed')
  + counter('cancelled') + counter('purged') + counter('moved_out')
local came = counter('pushed') + counter('moved_in')
return {
  now, messages + gone - came, wrong, strays, unregistered(KEYS[8]), unregistered(KEYS[9]), leases,
}

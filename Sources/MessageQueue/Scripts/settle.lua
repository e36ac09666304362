-- Records what became of claimed messages: the only way out of a claimed hash.
--
-- KEYS  1 list of waiting messages   2 wake list   3 later   4 dead   5 stats   6 workers   7 claimed hash of the life
--       8.. a record for each outcome that is to be kept, and the last one, absent
-- ARGV  1 life   2 'owner': the life settles what it had in hand; 'lost': it settles claims of its own that it knows
--       nothing of, see reconcile; 'fenced': another worker settles those of a fenced life
--       3 how many messages were sent   4.. their claim ids
--       then five for each other outcome:
--           verb     expired, retry, later, dead, back; sent, where a record is kept
--           claim id
--           delay    ms until a retry is due (Redis' clock); for later, when it is due, Unix ms; how long to keep the record; 0
--                    for the others
--           header   the line to store in front of the payload; of sent and expired the record, '' for none
--           bytes    how many the payload has: the last ones of the element that was claimed; of sent and expired the index
--                    in KEYS of the record, 0 for none
-- Returns {1, settled}: how many of the claims were still there. {0}: the claims are not this caller's any more; nothing
--       was done.
--
-- Keeps: each outcome is guarded by its own HDEL, so that a claim is settled once however often this is called, and each
-- first write removes; but for records, which come before, so that a full Redis refuses them and nothing else. A payload never leaves Redis to come back: a message that a worker cannot hold is settled all the
-- same. The caller bounds what is moved, in messages and in bytes. 'back' goes to the right end: given newest first, the
-- oldest ends up next in line. Dead letters may be more than their bounds allow afterwards: what falls off must have been
-- logged before, see drop.

local list, wake, later, dead, stats, workers, claimed = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local life, fenced = ARGV[1], ARGV[2] == 'fenced'
local sent = tonumber(ARGV[3])

local lease_end = redis.call('ZSCORE', workers, life)
if not lease_end or (tonumber(lease_end) == 0) ~= fenced then
  return {0}
end

-- A key of the wrong type must be found before the first write: what is removed from one key must get into the next.
redis.call('LLEN', list)
redis.call('LLEN', wake)
redis.call('ZCARD', later)
redis.call('ZCARD', dead)
redis.call('HLEN', stats)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local settled = 0
local counts = {}

-- Behind a removal Redis would take them at maxmemory as well, and drain no more.
if #KEYS > 8 then
  for base = 4 + sent, #ARGV, 5 do
    local verb, id, keep, record, key = unpack(ARGV, base, base + 4)
    if (verb == 'sent' or verb == 'expired') and key ~= '0' and redis.call('HEXISTS', claimed, id) == 1 then
      if redis.pcall('SET', KEYS[tonumber(key)], now .. ' ' .. record, 'PX', keep).err then break end
    end
  end
end

local function count(name, by)
  if name and by > 0 then counts[name] = (counts[name] or 0) + by end
  settled = settled + by
end

-- unpack() puts its values on Lua's stack, which takes some 8,000.
for first = 4, 3 + sent, 1000 do
  count('sent', redis.call('HDEL', claimed, unpack(ARGV, first, math.min(first + 999, 3 + sent))))
end

-- What is put off to a time has not been tried, and counts nowhere.
local counter = {
  retry = 'retried', dead = 'dead_total', back = ARGV[2] == 'owner' and 'returned' or 'recovered', expired = 'expired',
  sent = 'sent',
}
local returned, refusal = false, nil
for base = 4 + sent, #ARGV, 5 do
  local verb, id, delay, header, bytes = unpack(ARGV, base, base + 4)
  local stored = verb ~= 'expired' and verb ~= 'sent' and redis.call('HGET', claimed, id)
  if redis.call('HDEL', claimed, id) == 1 then
    local element = stored and header .. string.sub(stored, #stored - tonumber(bytes) + 1)
    local put = 1
    if verb == 'retry' then
      put = redis.pcall('ZADD', later, now + delay, element)
    elseif verb == 'later' then
      put = redis.pcall('ZADD', later, delay, element)
    elseif verb == 'dead' then
      put = redis.pcall('ZADD', dead, now, element)
    elseif verb == 'back' then
      put = redis.pcall('RPUSH', list, element)
      returned = true
    end
    -- Rights are looked at with each command. What may not get where it belongs stays claimed.
    if type(put) == 'table' then
      redis.call('HSET', claimed, id, stored)
      refusal = put
      break
    end
    count(counter[verb], 1)
  end
end

for name, by in pairs(counts) do
  redis.call('HINCRBY', stats, name, by)
end

if returned and redis.call('LLEN', wake) < 8 then
  redis.call('LPUSH', wake, '1')
end
return refusal or {1, settled}

-- Moves messages from the queue into a worker's hand, the oldest first.
--
-- KEYS  1 list of waiting messages   2 wake list   3 later   4 paused   5 workers   6 turns
--       7 claimed hash of this life   8 limit   9 absent
-- ARGV  1 life: the worker's identity in this run of it
--       2 prefix of the claim ids   3 number of the first claim id, in ten or more hexadecimal digits
--       4 most messages to claim, at most 500   5 how many crashes make a message a suspect
--       6 1 when the worker may take a suspect: it has nothing in hand, and nothing else is on its way
--       7 the greatest payload that the worker takes, bytes   8 most bytes to claim; one message may have more
--       9 1 for what waits before what is due: that has been tried already
--       10 1 to note in the claimed hash when each message was claimed that has no header yet; may be left out
-- Returns {head, element...}. The head is 'now due waiting hold blocked listener number expired': Redis' time in ms; ms
--       until the next scheduled message is due, -1 for none; how many still wait; for how many ms nothing may be claimed
--       because of the limit, 0 for none, -1 while paused; 1 when a suspect is next and the worker's hands are not empty; 1
--       when this life is the one that listens at the list, 2 when it is the only life as well; and of what was claimed:
--       element i has the claim id prefix .. number + i - 1; another life whose lease has ended, '' for none. In place of an
--       element whose payload is too large stand its header line, '' for none, and its bytes. {}: the worker is not
--       registered any more, its claims are another's.
--
-- Keeps: a suspect is claimed alone and by an empty hand, so that, if it is what kills its workers, it takes no others
-- with it to the dead letters. A message is in the list, in later, or in one claimed hash. The first write removes, so
-- that a full Redis can still be drained. Nothing is claimed outside a lease. A number is used once: turns holds the next
-- one of each life, and a call with an older one claims nothing and returns what stands under its numbers. So a call may
-- be repeated when its answer was lost, and it may even arrive after its repeat (a proxy, a slow network): what it claims
-- then stands under numbers that the worker asks for next. The bytes that a call moves are bounded, whatever producers push.
--
-- The limit is a bucket that fills by Redis' clock, and a message takes 1 out of it when it is claimed, not when a claim is
-- repeated. It holds what comes in a tenth of a second, and at least 1; and a part of one more, so that a worker which comes a
-- little late loses nothing. A clock that jumps fills it at most, or stands still. The key is there only while there is a limit.

local list, wake, later, paused_key, workers, turns, claimed, limit_key =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local life, prefix, asked_for, limit = ARGV[1], ARGV[2], tonumber(ARGV[3], 16), tonumber(ARGV[4])
local largest, most_bytes = tonumber(ARGV[7]), tonumber(ARGV[8])
local first = asked_for

-- The life whose lease ends first: of one worker, and of the listener, that is its own. Each call to Redis costs a single
-- message microseconds.
local ends_first = redis.call('ZRANGE', workers, '0', '1', 'WITHSCORES')
local lease_end = ends_first[1] == life and ends_first[2] or redis.call('ZSCORE', workers, life)
if not lease_end or tonumber(lease_end) == 0 then
  return {}
end

-- A key of the wrong type must be found before the first write: what is removed from one key must get into the next.
local waiting = redis.call('LLEN', list)
local tokens = redis.call('LLEN', wake)
redis.call('HLEN', claimed)
local next_number = tonumber(redis.call('HGET', turns, life) or 0)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- In millionths of a message: what comes into the bucket in a ms, and what is in it. No rate: there is no limit.
local rate, bucket, allowed = 0, 0, limit
local most_text, per_text, parts_text, had, since
local paused = redis.call('EXISTS', paused_key, limit_key)
if paused > 0 then
  paused = redis.call('EXISTS', paused_key)
  most_text, per_text, parts_text, had, since =
    string.match(redis.call('GET', limit_key) or '', '^(%d+) (%d+) (%d+) ?(%d*) ?(%d*)$')
  if most_text and most_text * per_text * parts_text > 0 then
    rate = most_text * 1e6 / (per_text * parts_text)
    bucket = 1e6
    if since ~= '' then
      local room = math.max(100 * rate, math.min(100 * rate + 1e6, 1999999))
      bucket = math.floor(math.min(room, had + math.max(0, now - since) * rate))
    end
    allowed = math.min(limit, math.floor(bucket / 1e6))
  end
end

local next_due = redis.call('ZRANGE', later, 0, 0, 'WITHSCORES')[2]

-- The first one as it came: to write a single number takes as long as a call to Redis.
local function claim_id(number)
  return prefix .. (number == asked_for and ARGV[3] or string.format('%010x', number))
end

-- To be asked only of what begins with an s.
local function is_suspect(element)
  if string.sub(element, 1, 7) ~= 'smsq1 {' then return false end
  local readable, header = pcall(cjson.decode, string.match(element, '^smsq1 ([^\n]*)\n') or '')
  return readable and (tonumber(header.crashes) or 0) >= tonumber(ARGV[5])
end

-- What the worker is handed of an element that is larger than the payloads that it takes.
local function without_payload(element)
  local header = string.match(string.sub(element, 1, 8192), '^smsq1 {[^\n]*\n') or ''
  if #element - #header <= largest then return element end
  return {header, #element}
end

-- As workers write it, so that the time outlives them.
local stamp = ARGV[10] == '1' and string.format('smsq1 {"claimed_at":%d,"crashes":0,"failures":0}\n', now)

local function keep_bucket()
  redis.call('DEL', limit_key)
  redis.call('SET', limit_key, string.format('%s %s %s %.0f %.0f', most_text, per_text, parts_text, bucket, now))
end

local elements = {}
local count, bytes, blocked, hold = 0, 0, 0, paused == 1 and -1 or 0

-- What stands under numbers that were used already, the first unbroken run of it.
while first + count < next_number and count < limit do
  local element = redis.call('HGET', claimed, claim_id(first + count))
  if element then
    bytes = bytes + #element
    if bytes > most_bytes and count > 0 then break end
    count = count + 1
    elements[count] = #element > largest and without_payload(element) or element
  elseif count == 0 then
    first = first + 1
  else
    break
  end
end

if count == 0 and paused == 0 and tonumber(lease_end) > now and limit > 0 then
  -- The clock was set back: it fills from here.
  if rate > 0 and since ~= '' and tonumber(since) > now then keep_bucket() end
  if next_due and tonumber(next_due) <= now and (waiting == 0 or ARGV[9] == '0') and allowed > 0 then
    -- In groups, because only an element that is here tells its size.
    local due, due_bytes, group = {}, 0, nil
    repeat
      local size = #due == 0 and 1 or math.min(16, allowed - #due)
      group = redis.call('ZRANGEBYSCORE', later, '-inf', now, 'LIMIT', #due, size)
      for _, element in ipairs(group) do
        due_bytes = due_bytes + #element
        if due_bytes > most_bytes and #due > 0 then break end
        due[#due + 1] = element
      end
    until #group == 0 or #due == allowed or due_bytes > most_bytes
    redis.call('ZREM', later, unpack(due))
    -- They go to the right end, the one due first outermost: they are older than what waits.
    for position = #due, 1, -1 do
      local pushed = redis.pcall('RPUSH', list, due[position])
      if type(pushed) == 'table' then
        for left = position, 1, -1 do redis.call('ZADD', later, now, due[left]) end
        return pushed
      end
      waiting = pushed
    end
    next_due = redis.call('ZRANGE', later, 0, 0, 'WITHSCORES')[2]
  end

  -- The oldest first. In groups, because only an element that is here tells its size: one alone, four times as many while
  -- those that came were small, and one at a time among large ones.
  local fields, unstamped = {}, {}
  local most, group_size = math.min(allowed, waiting), 1
  local byte, format, call = string.byte, string.format, redis.call
  while count < most and bytes < most_bytes do
    local before, size = bytes, math.min(group_size, most - count)
    local group = call('LRANGE', list, -count - size, -count - 1)
    for position = size, 1, -1 do
      local element = group[position]
      bytes = bytes + #element
      if bytes > most_bytes and count > 0 then
        most = count
        break
      end
      -- 115 is an s.
      if byte(element) == 115 and is_suspect(element) then
        if count > 0 then
          most = count
          break
        elseif ARGV[6] ~= '1' then
          blocked = 1
          most = 0
          break
        end
        most = 1
      end
      fields[2 * count + 1] = count == 0 and claim_id(first) or prefix .. format('%010x', first + count)
      fields[2 * count + 2] = element
      if stamp and byte(element) ~= 115 then
        unstamped[count + 1] = element
        fields[2 * count + 2] = stamp .. element
      end
      count = count + 1
      elements[count] = #element > largest and without_payload(element) or element
      if count == most then break end
    end
    group_size = bytes - before <= size * 4096 and math.min(64, 4 * group_size) or 1
  end
  if count > 0 then
    redis.call('LTRIM', list, 0, -count - 1)
    -- Rights are looked at with each command. What may not get into the hash goes back to where it was.
    local held = redis.pcall('HSET', claimed, unpack(fields))
    if type(held) == 'table' then
      for position = count, 1, -1 do redis.call('RPUSH', list, unstamped[position] or fields[2 * position]) end
      return held
    end
    redis.call('HSET', turns, life, first + count)
    waiting = waiting - count
    if rate > 0 then
      bucket = bucket - count * 1e6
      keep_bucket()
    end
  end

  if rate > 0 and bucket < 1e6 and blocked == 0 and (waiting > 0 or next_due and tonumber(next_due) <= now) then
    -- Until there are as many as come in 20 ms, so that a high rate does not take a call for each; but for no more than can be
    -- claimed. Who got some comes a little after the others.
    local wanted = math.max(1, math.min(limit, waiting, math.floor(20 * rate / 1e6)))
    hold = math.ceil((wanted * 1e6 - bucket) / rate) + (count > 0 and ends_first[3] and 3 or 0)
  end
end

-- Nobody is woken for what may not be claimed: those who know of it come when it may.
local is_dry = rate > 0 and bucket < 1e6
if waiting > 0 and paused == 0 and blocked == 0 and not is_dry and tokens < 8 then
  -- What is left behind is for the next worker: workers wake in a chain, not in a herd. A removal comes first, because
  -- at maxmemory a script whose first write adds is refused.
  redis.call('LTRIM', wake, 0, 7)
  redis.call('LPUSH', wake, '1')
elseif (waiting == 0 or is_dry) and tokens > 0 then
  -- Tokens tell of messages, and none can be had: they would wake workers for nothing. The next push rings anew.
  redis.call('DEL', wake)
end

local due = next_due and math.max(0, tonumber(next_due) - now) or -1

-- One life listens at the list, the one whose lease ends first of those that hold: each that listens rings at a push.
local expired, listener = '', ''
if tonumber(ends_first[2]) > now then
  listener = ends_first[1]
else
  -- Any of them, so that one whose recovery keeps failing does not hide the others.
  local ended = redis.call('ZRANGEBYSCORE', workers, '-inf', now, 'LIMIT', 0, 16)
  for offset = 1, #ended do
    local other = ended[(now + offset) % #ended + 1]
    if other ~= life then expired = other end
  end
  listener = redis.call('ZRANGEBYSCORE', workers, '(' .. now, '+inf', 'LIMIT', 0, 1)[1]
end

local listens = listener == life and (ends_first[3] and 1 or 2) or 0
-- In one string: each part of a reply costs the worker that waits for a message an allocation or two.
local head = string.format('%.0f %.0f %d %.0f %d %d %.0f %s', now, due, waiting, hold, blocked, listens, first, expired)
return {head, unpack(elements)}

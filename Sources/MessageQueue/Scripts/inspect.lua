-- Counts everything in one queue at one instant. Writes nothing.
--
-- KEYS  1 list of waiting messages   2 later   3 dead   4 workers   5 paused   6 stats   7 health   8 served   9 spread
--       10 limit
-- ARGV  1 what the key of a claimed hash begins with   2 the largest element to return, bytes
-- Returns {now, waiting, scheduled, dead, paused, oldest, stats, workers, served, spread, limit}: Redis' time in ms; three counts;
--       0 or 1; the element that is next in line, '' for none or a larger one; counter names and values in turn; life, end
--       of its lease in ms (0: fenced), number of claims, and when a claim of its last succeeded in ms (0: not known), in
--       turn; how many shards are served, and what pushes are spread over, '' where the queue was never sharded; the limit, ''
--       for none.
--
-- The claimed hashes are not in KEYS: their names are only known from the workers. They share the queue's slot.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local workers = redis.call('ZRANGE', KEYS[4], 0, -1, 'WITHSCORES')
local lives = {}
for position = 1, #workers, 2 do
  lives[#lives + 1] = workers[position]
  lives[#lives + 1] = tonumber(workers[position + 1])
  lives[#lives + 1] = redis.call('HLEN', ARGV[1] .. workers[position])
  -- Behind it stands the length of the lease.
  lives[#lives + 1] = tonumber(string.match(redis.call('HGET', KEYS[7], workers[position]) or '', '^%S+')) or 0
end

local oldest = redis.call('LINDEX', KEYS[1], -1) or ''
if #oldest > tonumber(ARGV[2]) then oldest = '' end

return {
  now,
  redis.call('LLEN', KEYS[1]),
  redis.call('ZCARD', KEYS[2]),
  redis.call('ZCARD', KEYS[3]),
  redis.call('EXISTS', KEYS[5]),
  oldest,
  redis.call('HGETALL', KEYS[6]),
  lives,
  redis.call('GET', KEYS[8]) or '',
  redis.call('GET', KEYS[9]) or '',
  redis.call('GET', KEYS[10]) or '',
}

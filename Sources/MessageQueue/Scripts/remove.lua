-- Deletes dead letters for good, and frees the ids that their callers gave them.
--
-- KEYS  1 dead   2 stats   3.. one key for each caller's id, and the last one, absent
-- ARGV  two for each letter, at most 500:
--           letter   the element as it lies among the dead letters
--           id key   index in KEYS of its caller's id; 0: it has none
-- Returns how many were deleted; the others were not there any more.
--
-- Keeps: each letter is guarded by its own ZREM, and only a letter that went frees its id: while its message is anywhere
-- else, the id stays taken. What is gone is counted, so that the books balance. The first write removes.

local dead, stats = KEYS[1], KEYS[2]

-- A key of the wrong type must be found before the first write.
redis.call('ZCARD', dead)
redis.call('HLEN', stats)

local removed = 0
for base = 1, #ARGV, 2 do
  if redis.call('ZREM', dead, ARGV[base]) == 1 then
    removed = removed + 1
    local id_key = KEYS[tonumber(ARGV[base + 1])]
    if id_key then redis.call('DEL', id_key) end
  end
end

if removed > 0 then
  redis.call('HINCRBY', stats, 'dead_removed', removed)
end
return removed

-- The upstream refused a call with a key: nobody's take of it is admitted for a while.
--
-- KEYS  1 the key's slot
-- ARGV  2 for how long, ms
-- Answer: 1 when that is longer than what stood there, else 0.
local key, for_ms = KEYS[1] .. 'pause', num(ARGV[2])
local until_ = now + for_ms * 1000
local before = call('GET', key)
if before and num(before) >= until_ then return 0 end
call('SET', key, text(until_), 'PX', text(for_ms + SLACK_MS))
return 1

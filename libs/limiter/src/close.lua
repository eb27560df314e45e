-- Ends a take: frees its slot and corrects the windows; a return also gives the buckets their call back. A take that is closed,
-- forgotten or unknown is left as it is, so that both can be repeated.
--
-- KEYS  as in take.lua
-- ARGV  1 now in microseconds, '' = the server's time  2 name of the take  3 what it really cost in millionths, '' = a return
-- Answer: 1 when something was ended, else 0.
local call, num, max = redis.call, tonumber, math.max
local now = num(ARGV[1])
if not now then
  local time = call('TIME')
  now = num(time[1]) * 1000000 + num(time[2])
end
local function text(n) return string.format('%.0f', n) end

local t = call('HMGET', KEYS[4], 'until', 'open', 'day', 'day-cost', 'month', 'month-cost', 'bucket1', 'bucket2')
if not t[1] or num(t[1]) <= now or t[2] ~= '1' then return 0 end
call('HSET', KEYS[4], 'open', '0')
call('ZREM', KEYS[3], ARGV[2])

local credits = num(ARGV[3])
local function correct(kind, period, taken)
  local w = call('HMGET', KEYS[2], kind, kind .. '-count')
  -- another day's or month's counter is none of this take's business
  if not period or w[1] ~= period then return end
  call('HSET', KEYS[2], kind .. '-count', text(max(0, num(w[2]) + (credits or 0) - num(taken))))
end
correct('day', t[3], t[4])
correct('month', t[5], t[6])

if not credits then
  for i = 7, 8 do
    local field = t[i]
    local b = field and call('HMGET', KEYS[1], field, field .. '/')
    if b and b[1] then call('HSET', KEYS[1], field, text(max(0, num(b[1]) - num(b[2])))) end
  end
end
return 1

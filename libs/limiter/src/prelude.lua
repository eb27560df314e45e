-- What every script begins with. KEYS are the names of slots: every key of a slot begins with its name and carries its hash tag.
-- ARGV[1] is now in microseconds, '' = the server's time. Whole numbers alone; see ../README.md for the arithmetic. A number that is given
-- to Redis keeps all its digits; tostring() would keep 14, and a microsecond of today has 16.
local call, num, floor, ceil, max, min = redis.call, tonumber, math.floor, math.ceil, math.max, math.min
local pack, unpacked = struct.pack, struct.unpack
local KEYS, ARGV = KEYS, ARGV
local SECOND, DAY = 1000000, 86400000000

local now = num(ARGV[1])
if not now then
  local time = call('TIME')
  now = num(time[1]) * SECOND + num(time[2])
end

-- The answer: numbers, and texts where a script says so, of one operation after the other.
local answers, said = {}, 0
local function say(what)
  said = said + 1
  answers[said] = what
end

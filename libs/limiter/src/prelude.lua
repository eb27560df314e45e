-- What every script begins with. KEYS are the names of slots: every key of a slot begins with its name and carries its hash tag.
-- ARGV[1] is now in microseconds, '' = the server's time. Whole numbers alone; see ../README.md for the arithmetic.
local call, num, floor, ceil, max, min = redis.call, tonumber, math.floor, math.ceil, math.max, math.min
local SECOND, DAY, SLACK_MS = 1000000, 86400000000, 10000

local now = num(ARGV[1])
if not now then
  local time = call('TIME')
  now = num(time[1]) * SECOND + num(time[2])
end

-- tostring() keeps 14 digits; a microsecond of today has 16
local function text(n) return string.format('%.0f', n) end

-- Expiry is only ever put off: takes of other lengths share the key. Decisions never depend on it.
local function keep(key, ms)
  ms = ceil(ms) + SLACK_MS
  if call('PTTL', key) < ms then call('PEXPIRE', key, text(ms)) end
end

-- Proleptic Gregorian months in UTC (H. Hinnant, "chrono-compatible low-level date algorithms"): years begin in March, so
-- that the leap day is the last of its year.
local function month_of(days)
  local z = days + 719468
  local era = floor(z / 146097)
  local doe = z - era * 146097
  local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
  return (era * 400 + yoe) * 12 + floor((5 * doy + 2) / 153) + 2
end
local function month_start(month)
  local year, m = floor((month - 2) / 12), (month - 2) % 12
  local days = year * 365 + floor(year / 4) - floor(year / 100) + floor(year / 400) + floor((153 * m + 2) / 5) - 719468
  return days * DAY
end
local function period_at(kind) return kind == 'day' and floor(now / DAY) or month_of(floor(now / DAY)) end
local function period_end(kind, period) return kind == 'day' and (period + 1) * DAY or month_start(period + 1) end

-- A bucket: debt, since when and at what rate, as three doubles: packing them takes half of the time that text does.
local function read_bucket(key)
  local stored = call('GET', key)
  if stored then return struct.unpack('<ddd', stored) end
end
local function write_bucket(key, debt, since, every, ms)
  call('SET', key, struct.pack('<ddd', debt, since, every), 'PX', ms)
end
-- as long as it would take if the bucket were empty, so that it need not be reckoned each time
local function bucket_ms(capacity, every) return text(ceil(capacity * every / 1000000) + SLACK_MS) end
-- The old rate until now, then the debt in calls is kept at the new rate; a lower capacity forgives what is above it.
local function debt_at(key, capacity, every, resume)
  local debt, since, before = read_bucket(key)
  if not debt or debt == 0 then return 0 end
  local left = max(0, debt - max(0, now - since) * 1000)
  if before ~= every then left = ceil(left * every / before) end
  local most = capacity * every
  -- under another rate or a lower capacity time begins anew from here, else it would go on paying at the old one and forgive again
  -- each time: a wait that was told would not be true
  if resume and left > 0 and capacity > 0 and (before ~= every or left > most) then
    left = min(left, most)
    write_bucket(key, left, now, every, bucket_ms(capacity, every))
  -- and after a clock was set back, else the bucket would stand still until it has caught up
  elseif resume and since > now then
    call('SET', key, struct.pack('<ddd', debt, now, before), 'KEEPTTL')
  end
  return min(left, most)
end

-- A take: 'until open cost calls charged day day-cost month month-cost' and the fields of its buckets; '-' = none.
local TAKE = '(%d+) (%d) (%d+) (%d+) (%S+) (%S+) (%S+) (%S+) (%S+)(.*)'
local function read_take(stored)
  local until_, open, cost, calls, charged, day, day_cost, month, month_cost, fields = stored:match(TAKE)
  local take = { until_ = num(until_), open = open == '1', cost = num(cost), calls = num(calls), charged = num(charged), fields = fields }
  take.day, take['day-cost'], take.month, take['month-cost'] = num(day), num(day_cost), num(month), num(month_cost)
  return take
end
local function write_take(t)
  return string.format('%.0f %d %.0f %.0f %s %s %s %s %s%s', t.until_, t.open and 1 or 0, t.cost, t.calls,
    t.charged and string.format('%.17g', t.charged) or '-', t.day and text(t.day) or '-', t.day and text(t['day-cost']) or '-',
    t.month and text(t.month) or '-', t.month and text(t['month-cost']) or '-', t.fields)
end
local function remembered(key)
  local stored = call('GET', key)
  local take = stored and read_take(stored)
  return take and take.until_ > now and take or nil
end

-- Microseconds until an upstream key that refused calls may be used again.
local function paused_for(base)
  local until_ = call('GET', base .. 'pause')
  return until_ and max(0, num(until_) - now) or 0
end

-- What a take really cost in place of what was taken. Another day's or month's counter is none of its business.
local function correct_windows(base, take, cost)
  for _, kind in ipairs({ 'day', 'month' }) do
    local stored = take[kind] and call('GET', base .. kind)
    if stored then
      local period, count = struct.unpack('<dd', stored)
      if period == take[kind] then
        call('SET', base .. kind, struct.pack('<dd', period, max(0, count + cost - take[kind .. '-cost'])), 'KEEPTTL')
      end
    end
  end
end

-- One step of admission on one slot: all of its rules or none. Whole numbers alone; see ../README.md for the arithmetic.
--
-- KEYS  1 buckets (hash)  2 windows (hash)  3 slots in use (zset, score = end of the lease)  4 the take (hash)
-- ARGV  1 now in microseconds, '' = the server's time  2 'take' or 'look'  3 name of the take  4 cost in millionths
--       5 how long to remember the take, ms  6 lease, ms
--       7 day, 8 its count, 9 month, 10 its count: the ledger's word, '' = unknown
--       11… the rules, four arguments each: 'bucket' field capacity everyNs | 'window' kind limit '' | 'slots' '' limit ''
-- Answer, one string of numbers: verdict (0 admitted, n = refused by rule n, -1 unknown ledger, -2 the take was closed),
--       microseconds to wait (-1 = for ever), then per rule: used, microseconds until nothing of it is used.
local call, num, floor, ceil, max, min = redis.call, tonumber, math.floor, math.ceil, math.max, math.min
local SECOND, DAY, SLACK_MS = 1000000, 86400000000, 10000

local now = num(ARGV[1])
if not now then
  local time = call('TIME')
  now = num(time[1]) * SECOND + num(time[2])
end
local looking, name, cost = ARGV[2] == 'look', ARGV[3], num(ARGV[4])
local remember_ms, lease_ms = num(ARGV[5]), num(ARGV[6])

-- tostring() keeps 14 digits; a microsecond of today has 16
local function text(n) return string.format('%.0f', n) end

-- Expiry is only ever put off: rules of other lengths share the key. Decisions never depend on it.
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

-- The take of this name, if it is remembered.
local held = { cost = 0 }
if not looking then
  local t = call('HMGET', KEYS[4], 'until', 'open', 'cost', 'day', 'day-cost', 'month', 'month-cost')
  if t[1] and num(t[1]) > now then
    if t[2] ~= '1' then return '-2,0' end
    held = { cost = num(t[3]), known = true, day = num(t[4]), ['day-cost'] = num(t[5]), month = num(t[6]), ['month-cost'] = num(t[7]) }
  end
end
local due = max(0, cost - held.cost)

local windows = {}
local function window(kind)
  local w = windows[kind]
  if w then return w end
  local stored = call('HMGET', KEYS[2], kind, kind .. '-count')
  w = { period = period_at(kind) }
  local counted = num(stored[1])
  -- a clock that was set back does not bring a used quota back
  if counted and counted >= w.period then w.period, w.count = counted, num(stored[2]) end
  local at = kind == 'day' and 7 or 9
  local seen = num(ARGV[at])
  if seen and seen <= w.period then w.count = max(w.count or 0, seen == w.period and num(ARGV[at + 1]) or 0) end
  w.finish = period_end(kind, w.period)
  windows[kind] = w
  return w
end

local rules, verdict, wait = {}, 0, 0
local function refuse(n, micros)
  if verdict == 0 or (wait ~= -1 and (micros == -1 or micros > wait)) then verdict, wait = n, micros end
end

-- 1. read and decide; nothing is spent
for at = 11, #ARGV, 4 do
  local rule = { kind = ARGV[at], field = ARGV[at + 1], limit = num(ARGV[at + 2]) }
  local n = #rules + 1
  rules[n] = rule
  local taking = not looking and not held.known
  if rule.kind == 'bucket' then
    rule.every = num(ARGV[at + 3])
    local b = call('HMGET', KEYS[1], rule.field, rule.field .. '@', rule.field .. '/')
    local debt = num(b[1]) or 0
    if debt > 0 then
      local since = num(b[2])
      -- a clock that was set back: time begins anew from here, else the bucket would stand still until it has caught up
      if since > now and not looking then call('HSET', KEYS[1], rule.field .. '@', text(now)) end
      -- the old rate until now, then the debt in calls is kept at the new rate; a lower capacity forgives what is above it
      debt = max(0, debt - max(0, now - since) * 1000)
      local every = num(b[3])
      if every ~= rule.every then debt = ceil(debt * rule.every / every) end
      debt = min(debt, rule.limit * rule.every)
    end
    rule.debt = debt
    if taking then
      local short = debt + rule.every - rule.limit * rule.every
      if rule.limit == 0 then refuse(n, -1) elseif short > 0 then refuse(n, ceil(short / 1000)) end
    end
  elseif rule.kind == 'window' then
    local w = window(rule.field)
    if w.count == nil then
      rule.unknown = true
    elseif due > 0 and w.count + due > rule.limit then
      if cost > rule.limit then refuse(n, -1) else refuse(n, w.finish - now) end
    end
  else
    rule.count = call('ZCOUNT', KEYS[3], '(' .. text(now), '+inf')
    if taking and rule.count >= rule.limit then
      if rule.limit == 0 then
        refuse(n, -1)
      else
        local nth = call('ZRANGEBYSCORE', KEYS[3], '(' .. text(now), '+inf', 'WITHSCORES', 'LIMIT', rule.count - rule.limit, 1)
        refuse(n, num(nth[2]) - now)
      end
    end
  end
end
if not looking then
  for _, rule in ipairs(rules) do
    if rule.unknown then verdict, wait = -1, SECOND end
  end
end

-- 2. spend
if not looking and verdict == 0 and (not held.known or due > 0) then
  local take = { 'until', text(now + remember_ms * 1000), 'open', '1', 'cost', text(held.cost + due) }
  local buckets = 0
  for _, rule in ipairs(rules) do
    if rule.kind == 'bucket' and not held.known then
      rule.debt = rule.debt + rule.every
      call('HSET', KEYS[1], rule.field, text(rule.debt), rule.field .. '@', text(now), rule.field .. '/', text(rule.every))
      keep(KEYS[1], rule.debt / 1000000)
      buckets = buckets + 1
      take[#take + 1] = 'bucket' .. buckets
      take[#take + 1] = rule.field
    elseif rule.kind == 'slots' and not held.known then
      call('ZREMRANGEBYSCORE', KEYS[3], '-inf', text(now))
      call('ZADD', KEYS[3], text(now + lease_ms * 1000), name)
      keep(KEYS[3], lease_ms)
      rule.count = rule.count + 1
    end
  end
  for kind, w in pairs(windows) do
    w.count = w.count + due
    call('HSET', KEYS[2], kind, text(w.period), kind .. '-count', text(w.count))
    keep(KEYS[2], (w.finish - now) / 1000)
    local before = held[kind] == w.period and held[kind .. '-cost'] or 0
    for _, value in ipairs({ kind, text(w.period), kind .. '-cost', text(before + due) }) do take[#take + 1] = value end
  end
  call('HSET', KEYS[4], unpack(take))
  keep(KEYS[4], remember_ms)
end

-- 3. how each limit stands now
local answer = { text(verdict), text(wait) }
for _, rule in ipairs(rules) do
  local used, reset = rule.count, 0
  if rule.kind == 'bucket' then
    used, reset = ceil(rule.debt / rule.every), ceil(rule.debt / 1000)
  elseif rule.kind == 'window' then
    local w = windows[rule.field]
    used, reset = w.count or 0, w.finish - now
  end
  answer[#answer + 1] = text(used)
  answer[#answer + 1] = text(reset)
end
return table.concat(answer, ',')

-- Proleptic Gregorian months in UTC (H. Hinnant, "chrono-compatible low-level date algorithms"): years begin in March, so that the leap day is
-- the last of its year. What of them is asked for again and again is reckoned once.
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
local today, ends = {}, { day = {}, month = {} }
local function period_now(kind)
  if not today[kind] then today[kind] = kind == 'day' and floor(now / DAY) or month_of(floor(now / DAY)) end
  return today[kind]
end
local function period_end(kind, period)
  local finish = ends[kind][period]
  if not finish then
    finish = kind == 'day' and (period + 1) * DAY or month_start(period + 1)
    ends[kind][period] = finish
  end
  return finish
end

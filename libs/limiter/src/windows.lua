-- What was used of calendar periods, as two pairs: the day and its count, the month and its count; -1 = none.
local function read_windows()
  local stored = field('windows')
  if stored then return unpacked('<dddd', stored) end
  return -1, 0, -1, 0
end
local function write_windows(day, day_count, month, month_count)
  local until_ = 0
  if day >= 0 then until_ = period_end('day', day) end
  if month >= 0 then until_ = max(until_, period_end('month', month)) end
  set_field('windows', pack('<dddd', day, day_count, month, month_count), until_)
end
-- What a take really cost in place of what was taken. Another day's or month's count is none of its business.
local function correct_windows(take, cost)
  if not take.day and not take.month then return end
  local day, day_count, month, month_count = read_windows()
  local changed = false
  if take.day == day and day >= 0 then day_count, changed = max(0, day_count + cost - take['day-cost']), true end
  if take.month == month and month >= 0 then month_count, changed = max(0, month_count + cost - take['month-cost']), true end
  if changed then write_windows(day, day_count, month, month_count) end
end

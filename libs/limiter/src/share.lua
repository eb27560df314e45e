-- Step 2 of admission on a shared key: its concurrency, and its bucket as the fair share divides it. fair-share.ts says why; this does
-- the same in the same order.
--
-- KEYS  1 the key's slot
-- ARGV  2 name of the take  3 tenant  4 its id without the tenant  5 ticket, '' = none  6 weight in thousandths  7 priority  8 calls
--       9 lease ms  10 ms to remember  11 capacity  12 everyNs  13 concurrency, '' = unlimited
-- Answer: verdict (0 admitted, 1 refused by the bucket, 2 by concurrency, 3 by the share, 4 paused, -2 the take was closed), microseconds to
--       wait (-1 = for ever), what it came by ('-' = nothing), busy weight, calls ahead, microseconds ahead, bucket's use and reset,
--       calls in flight, then of a slot its priority and ticket ('-' = none).
local WITHOUT_TICKET, AHEAD, AHEAD_CALM, LEAST_WAIT, SOONEST, MOST_WALKED = 250000, 1, 2, SECOND, 1000, 1000
local name, tenant, id, ticket, own = ARGV[2], ARGV[3], ARGV[4], ARGV[5], num(ARGV[6])
local priority, calls, lease, remember = ARGV[7], num(ARGV[8]), num(ARGV[9]), num(ARGV[10])
local capacity, every, concurrency = num(ARGV[11]), num(ARGV[12]), num(ARGV[13])
if ticket == '' then ticket = nil end
local cost, full = calls * every, capacity * every

-- 1. time passes
local debt = debt_at(base .. 'bucket:key', capacity, every, true)
local take_key = base .. 'take:' .. name
local held = remembered(take_key)
if held and not held.open then return { -2, 0 } end

local at = now + skew
if known and at < last then
  skew = last - now
  at = last
end
local left = known and (at - last) * 1000 or 0
while left > 0 and weight > 0 do
  local first = call('ZRANGE', base .. 'ahead', 0, 0, 'WITHSCORES')
  local need = first[1] and max(0, (num(first[2]) - virtual) * weight * every)
  if not need or need > left then
    virtual = virtual + left / every / weight
    break
  end
  virtual = max(virtual, num(first[2]))
  set_tag(first[1], nil)
  left = left - need
  rest(first[1])
end
last = at

if open_calls > 0 then
  for _, member in ipairs(call('ZRANGEBYSCORE', base .. 'open', '-inf', '(' .. text(at - GRACE), 'LIMIT', 0, CLEARED)) do
    local who, which = member:match('^%d+ (%S+) (%S+)$')
    local sharer = sharer_of(who)
    local slot = sharer and slot_of(sharer, which)
    if slot then
      sharer.quota = max(1, floor(sharer.quota / 2))
      take_out(who, sharer, slot)
    end
  end
end
if known then
  for _, who in ipairs(call('ZRANGEBYSCORE', base .. 'recent', '-inf', text(at - CALM), 'LIMIT', 0, CLEARED)) do
    call('ZREM', base .. 'recent', who)
    local sharer = sharer_of(who)
    if sharer and sharer.weight == 0 then put_sharer(who, false) end
  end
end

-- 2. decide
local sharer = sharer_of(tenant) or { weight = 0, quota = FIRST_QUOTA, slot_at = 0, brings = false, slots = {} }
local fresh = not sharer_of(tenant)
local level = full - debt
local reserve = min(floor(capacity / 5), capacity - calls) * every

local function standing()
  local mine = sharer_of(tenant)
  local busy = weight - (mine and mine.weight or 0) + own
  local tag = weight > 0 and tag_of(tenant)
  -- what was had while few wanted it is no debt to the many who came since
  local most = max(HORIZON * 1000 / every / busy, calls / own)
  local lead = tag and min(tag - virtual, most + calls / own) or 0
  return lead, busy, ceil(lead * busy * every / 1000), min(lead, most)
end

local function claim(slot)
  sharer.quota = min(MOST_QUOTA, sharer.quota + 1)
  take_out(tenant, sharer, slot)
end

-- Open slots in their order, read in portions as they are wanted: nearly always the first few decide.
local slots, portion, all_read = {}, 32, false
local function slot_number(n)
  if n > #slots and not all_read then
    local more = call('ZRANGE', base .. 'open', #slots, #slots + portion - 1, 'WITHSCORES')
    for i = 1, #more, 2 do
      local first, second = more[i]:byte(1, 2)
      -- nearly always one digit and a space
      slots[#slots + 1] = { num(more[i + 1]), (second == 32 and first - 48 or num(more[i]:match('^%d+'))) * every }
    end
    all_read = #more < 2 * portion
    portion = 256
  end
  return slots[n]
end

local function fits(time, margin)
  if call('ZCARD', base .. 'open') > MOST_WALKED then return false, level, at end
  local with, without, from, placed = level, level, at, false
  local n, slot = 1, slot_number(1)
  while slot do
    local to = max(slot[1], from)
    if not placed and slot[1] >= time then
      with, without = min(full, with + (time - from) * 1000) - cost, min(full, without + (time - from) * 1000)
      from, placed = time, true
      if with < margin then return false, level, at end
      to = max(slot[1], from)
    end
    with, without = min(full, with + (to - from) * 1000), min(full, without + (to - from) * 1000)
    from = to
    if placed and with == without then return true, with, from end
    with, without = with - slot[2], without - slot[2]
    if placed and with < margin then return false, level, at end
    n = n + 1
    slot = slot_number(n)
  end
  if not placed and time ~= math.huge then
    with = min(full, with + (time - from) * 1000) - cost
    from = time
    if with < margin then return false, level, at end
  end
  return true, with, from
end

local function slot_time(fair_wait)
  local fair = at + fair_wait
  if fits(fair, reserve) then return fair end
  local paid = at + ceil((open_calls * every + reserve + cost - level) / 1000)
  local when = max(fair, paid)
  if call('ZCARD', base .. 'open') > MOST_WALKED or fits(when, reserve) then return when end
  local _, rest_level, from = fits(math.huge, 0)
  return max(fair, from + max(0, ceil((reserve + cost - rest_level) / 1000)))
end

local function give(when)
  local slot, earlier = { at = when, calls = calls, priority = priority, ticket = id }, nil
  if priority == 'interactive' then
    for _, other in ipairs(sharer.slots) do
      if other.priority == 'batch' and other.calls == calls and other.at < (earlier and earlier.at or when) then earlier = other end
    end
  end
  if earlier then
    slot.at = max(earlier.at, at + SOONEST)
    move(tenant, sharer, earlier, when)
  end
  put_in(tenant, sharer, slot)
  sharer.slot_at = at
  call('ZADD', base .. 'recent', text(at), tenant)
  return slot
end

-- Answers what it came by and what was charged, or nil, how long to wait and the slot.
local function decide()
  if ticket and not sharer.brings then
    sharer.brings = true
    if not fresh then put_sharer(tenant, sharer) end
  end
  local unbooked, charged = level - open_calls * every, calls / own
  local mine, due
  for _, slot in ipairs(sharer.slots) do
    if slot.ticket == ticket and slot.calls >= calls then
      mine = slot
      break
    end
  end
  if not mine then
    mine = slot_of(sharer, id)
    if mine and mine.calls < calls then
      drop(tenant, sharer, mine)
      mine = nil
    end
  end
  if mine then
    local early = mine.at > at
    if early and unbooked + mine.calls * every >= reserve + cost or not early and level >= cost then
      claim(mine)
      return 'slot', charged
    end
    if early then return nil, mine.at - at, mine end
    local wait = ceil((cost - level) / 1000)
    move(tenant, sharer, mine, at + wait)
    return nil, wait, mine
  end
  if level >= cost then
    for _, slot in ipairs(sharer.slots) do
      local free
      if slot.priority == priority then
        free = not sharer.brings and slot.at + WITHOUT_TICKET <= at
      else
        free = priority == 'interactive' and slot.at <= at
      end
      if free and slot.calls >= calls and (not due or slot.at < due.at) then due = slot end
    end
    if due then
      claim(due)
      return 'slot', charged
    end
  end

  local lead, _, fair_wait, before = standing()
  if unbooked >= reserve + cost then
    if open_calls == 0 then return 'free', 0 end
    charge(tenant, sharer, own, before, calls)
    return 'free', charged
  end
  local calm = #sharer.slots == 0 and at - sharer.slot_at >= CALM
  local beyond = lead * own - 1e-6
  local within = beyond <= (calm and AHEAD_CALM or 0) or level * 2 >= full and beyond <= AHEAD
  local margin = calm and 0 or reserve
  if (within or level * 10 >= full * 7) and level - cost >= margin and fits(at, margin) then
    charge(tenant, sharer, own, before, calls)
    return 'share', charged
  end

  local more = #sharer.slots > 0
  if more and (#sharer.slots >= sharer.quota or fair_wait > HORIZON) then return nil, max(LEAST_WAIT, fair_wait) end
  local when = slot_time(max(fair_wait, SOONEST))
  if more and when - at > HORIZON then return nil, when - at end
  local slot = give(when)
  charge(tenant, sharer, own, before, calls)
  return nil, slot.at - at, slot
end

-- 3. spend
local verdict, wait, by, slot, charged = 0, 0, '-', nil, nil
local in_flight = concurrency and call('ZCOUNT', base .. 'slots', '(' .. text(now), '+inf') or 0
if not held then
  local pause = paused_for(base)
  if pause > 0 then
    verdict, wait = 4, pause
  elseif calls > capacity then
    verdict, wait = 1, -1
  elseif concurrency and in_flight >= concurrency then
    verdict, wait = 2, -1
    if concurrency > 0 then
      local nth = call('ZRANGEBYSCORE', base .. 'slots', '(' .. text(now), '+inf', 'WITHSCORES', 'LIMIT', in_flight - concurrency, 1)
      wait = num(nth[2]) - now
    end
  else
    local how, amount, kept = decide()
    if how then
      by, charged = how, amount
      debt = debt + cost
      write_bucket(base .. 'bucket:key', debt, now, every, bucket_ms(capacity, every))
      if concurrency then
        call('ZREMRANGEBYSCORE', base .. 'slots', '-inf', text(now))
        call('ZADD', base .. 'slots', text(now + lease * 1000), name)
        keep(base .. 'slots', lease)
        in_flight = in_flight + 1
      end
      local take = { until_ = now + remember * 1000, open = true, cost = 0, calls = calls, charged = charged > 0 and charged or nil, fields = ' key ' }
      call('SET', take_key, write_take(take), 'PX', text(remember + SLACK_MS))
    else
      verdict, wait, slot = 3, amount, kept
    end
    if slot or by == 'share' or by == 'free' and charged > 0 then
      local need = (wait + GRACE + CALM + HORIZON + 2 * calls * weight * every / own / 1000) / 1000
      save_sharing()
      save_sharers()
      changed, known = {}, false
      for _, key in ipairs({ 'share', 'ahead', 'open', 'sharers', 'recent' }) do
        local ms = call('PTTL', base .. key)
        if ms ~= -2 and ms < need then call('PEXPIRE', base .. key, text(ceil(need * 2) + SLACK_MS)) end
      end
    end
  end
end
if known then save_sharing() end
save_sharers()

local ahead, busy, reset = standing()
return { verdict, wait, by, busy, max(0, ceil(ahead * own - 1e-9)), reset, ceil(debt / every), ceil(debt / 1000), in_flight,
  slot and slot.priority or '-', slot and slot.ticket or '-' }

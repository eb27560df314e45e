-- Step 2 of admission on a shared key: its concurrency, and its bucket as the fair share divides it. fair-share.ts says why; this does the same in
-- the same order. And the ends of takes of a key, shared or not.
--
-- KEYS  the keys' slots
-- ARGV  2 number of specs, then these, one text each: what is done ('take', 'ticket', 'drop', 'settle', 'return'); of the first two also weight in
--         thousandths, priority, calls, lease ms, ms to remember, capacity, everyNs, concurrency ('-' = unlimited)
--       then of each slot: the number of its operations, and of each of these the number of its spec, and
--         take: tenant, the take's id;  ticket: tenant, id, ticket;  drop: tenant, ticket;  settle: name of the take, 0;  return: name of the take
-- Answer, of each take: verdict (0 admitted, 1 refused by the bucket, 2 by concurrency, 3 by the share, 4 paused, -2 the take was closed); unless it is
--       -2, microseconds to wait (-1 = for ever), what it came by (0 nothing, 1 slot, 2 share, 3 free), busy weight, calls ahead, microseconds
--       ahead, the bucket's debt, calls in flight, the priority of a slot that it was given (0 = none), and that slot's ticket, where there is one.
local WITHOUT_TICKET, AHEAD, AHEAD_CALM, LEAST_WAIT, SOONEST, MOST_WALKED = 250000, 1, 2, SECOND, 1000, 1000
local BY_SLOT, BY_SHARE, FREE = 1, 2, 3

local function share_spec(words)
  local spec = { ticket = words[1] == 'ticket', own = num(words[2]), priority = words[3], calls = num(words[4]) }
  spec.lease, spec.remember = lease_until(num(words[5])), now + num(words[6]) * 1000
  spec.capacity, spec.every, spec.concurrency = num(words[7]), num(words[8]), num(words[9])
  spec.cost, spec.full = spec.calls * spec.every, spec.capacity * spec.every
  spec.reserve = min(floor(spec.capacity / 5), spec.capacity - spec.calls) * spec.every
  return spec
end

-- 1. time passes
local function advance(every)
  local at = now + skew
  if at < last then
    skew = last - now
    at = last
  end
  local left = (at - last) * 1000
  while left > 0 and weight > 0 do
    local first = call('ZRANGE', base .. ':ahead', 0, 0, 'WITHSCORES')
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
  last, share_changed = at, true

  if open_calls > 0 and not none_overdue then
    local overdue = call('ZRANGEBYSCORE', base .. ':open', '-inf', '(' .. string.format('%.0f', at - GRACE), 'LIMIT', 0, CLEARED)
    none_overdue = #overdue < CLEARED
    for _, member in ipairs(overdue) do
      local who, which = member:match('^%d+ (%S+) (%S+)$')
      local sharer = sharer_of(who)
      local slot = sharer and slot_of(sharer, which)
      if slot then
        sharer.quota = max(1, floor(sharer.quota / 2))
        take_out(who, sharer, slot)
      end
    end
  end
  if known and not none_calm then
    local calm = call('ZRANGEBYSCORE', base .. ':recent', '-inf', at - CALM, 'LIMIT', 0, CLEARED)
    none_calm = #calm < CLEARED
    for _, who in ipairs(calm) do
      call('ZREM', base .. ':recent', who)
      local sharer = sharer_of(who)
      if sharer and sharer.weight == 0 then put_sharer(who, false) end
    end
  end
end

-- 2. decide. Of the take that is being decided:
local spec, tenant, id, ticket, sharer, level

local function standing()
  local mine = sharer_of(tenant)
  local own, every = spec.own, spec.every
  local busy = weight - (mine and mine.weight or 0) + own
  -- what was had while few wanted it is no debt to the many who came since
  local most = max(HORIZON * 1000 / every / busy, spec.calls / own)
  local tag = mine and mine.tag
  local lead = tag and min(tag - virtual, most + spec.calls / own) or 0
  return lead, busy, ceil(lead * busy * every / 1000), min(lead, most)
end

local function claim(slot)
  sharer.quota = min(MOST_QUOTA, sharer.quota + 1)
  take_out(tenant, sharer, slot)
end

local function fits(time, margin)
  local at, every, full = last, spec.every, spec.full
  if size_of_open() > MOST_WALKED then return false, level, at end
  local with, without, from, placed = level, level, at, false
  local n, slot = 1, slot_number(1)
  while slot do
    local due, slot_cost = slot[1], slot[2] * every
    local to = max(due, from)
    if not placed and due >= time then
      with, without = min(full, with + (time - from) * 1000) - spec.cost, min(full, without + (time - from) * 1000)
      from, placed = time, true
      if with < margin then return false, level, at end
      to = max(due, from)
    end
    with, without = min(full, with + (to - from) * 1000), min(full, without + (to - from) * 1000)
    from = to
    if placed and with == without then return true, with, from end
    with, without = with - slot_cost, without - slot_cost
    if placed and with < margin then return false, level, at end
    n = n + 1
    slot = slot_number(n)
  end
  if not placed and time ~= math.huge then
    with = min(full, with + (time - from) * 1000) - spec.cost
    from = time
    if with < margin then return false, level, at end
  end
  return true, with, from
end

local function slot_time(fair_wait)
  local at, reserve, cost = last, spec.reserve, spec.cost
  local fair = at + fair_wait
  if fits(fair, reserve) then return fair end
  local paid = at + ceil((open_calls * spec.every + reserve + cost - level) / 1000)
  local when = max(fair, paid)
  if size_of_open() > MOST_WALKED or fits(when, reserve) then return when end
  local _, rest_level, from = fits(math.huge, 0)
  return max(fair, from + max(0, ceil((reserve + cost - rest_level) / 1000)))
end

local function give(when)
  local slot, earlier = { at = when, calls = spec.calls, priority = spec.priority, ticket = id }, nil
  if spec.priority == 'interactive' then
    for _, other in ipairs(sharer.slots) do
      if other.priority == 'batch' and other.calls == spec.calls and other.at < (earlier and earlier.at or when) then earlier = other end
    end
  end
  if earlier then
    slot.at = max(earlier.at, last + SOONEST)
    move(tenant, sharer, earlier, when)
  end
  put_in(tenant, sharer, slot)
  sharer.slot_at = last
  call('ZADD', base .. ':recent', last, tenant)
  return slot
end

-- Answers what it came by and what was charged, or nil, how long to wait and the slot.
local function decide()
  local at, calls, own, cost, reserve = last, spec.calls, spec.own, spec.cost, spec.reserve
  local stored = sharer_of(tenant)
  sharer = stored or { weight = 0, quota = FIRST_QUOTA, slot_at = 0, brings = false, slots = {} }
  if ticket and not sharer.brings then
    sharer.brings = true
    if stored then put_sharer(tenant, sharer) end
  end
  local unbooked, charged = level - open_calls * spec.every, calls / own
  local mine, due
  if ticket then
    for _, slot in ipairs(sharer.slots) do
      if slot.ticket == ticket and slot.calls >= calls then
        mine = slot
        break
      end
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
    if early and unbooked + mine.calls * spec.every >= reserve + cost or not early and level >= cost then
      claim(mine)
      return BY_SLOT, charged
    end
    if early then return nil, mine.at - at, mine end
    local wait = ceil((cost - level) / 1000)
    move(tenant, sharer, mine, at + wait)
    return nil, wait, mine
  end
  if level >= cost then
    for _, slot in ipairs(sharer.slots) do
      local free
      if slot.priority == spec.priority then
        free = not sharer.brings and slot.at + WITHOUT_TICKET <= at
      else
        free = spec.priority == 'interactive' and slot.at <= at
      end
      if free and slot.calls >= calls and (not due or slot.at < due.at) then due = slot end
    end
    if due then
      claim(due)
      return BY_SLOT, charged
    end
  end

  local lead, _, fair_wait, before = standing()
  if unbooked >= reserve + cost then
    if open_calls == 0 then return FREE, 0 end
    charge(tenant, sharer, own, before, calls)
    return FREE, charged
  end
  local calm = #sharer.slots == 0 and at - sharer.slot_at >= CALM
  local beyond = lead * own - 1e-6
  local within = beyond <= (calm and AHEAD_CALM or 0) or level * 2 >= spec.full and beyond <= AHEAD
  local margin = calm and 0 or reserve
  if (within or level * 10 >= spec.full * 7) and level - cost >= margin and fits(at, margin) then
    charge(tenant, sharer, own, before, calls)
    return BY_SHARE, charged
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
local function needed_by_share(wait)
  local until_ = now + wait + GRACE + CALM + HORIZON + 2 * spec.calls * weight * spec.every / spec.own / 1000
  if until_ > share_until then share_until = until_ end
end
local function step(name)
  local owed = debt_of('key', spec.capacity, spec.every, true)
  local held = remembered(name)
  if held and not held.open then return -2, 0 end
  advance(spec.every)
  if held then return 0, 0, 0, owed end
  local paused = fields.pause and num(fields.pause) - now or 0
  if paused > 0 then return 4, paused, 0, owed end
  if spec.calls > spec.capacity then return 1, -1, 0, owed end
  local concurrency = spec.concurrency
  if concurrency and in_flight >= concurrency then
    return 2, concurrency > 0 and lease_end(in_flight - concurrency + 1) - now or -1, 0, owed
  end
  level = spec.full - owed
  local by, amount, slot = decide()
  if not by then
    if slot then needed_by_share(amount) end
    return 3, amount, 0, owed, slot
  end
  owed = owed + spec.cost
  write_bucket('key', owed, now, spec.every)
  if concurrency then lend(spec.lease) end
  local take = { until_ = spec.remember, open = true, cost = 0, lease = concurrency and spec.lease or 0, calls = spec.calls, fields = ' key ' }
  if amount > 0 then take.charged = amount end
  write_take(name, take_text(take), spec.remember, beginning_of(name))
  if by == BY_SHARE or by == FREE and amount > 0 then needed_by_share(0) end
  return 0, 0, by, owed
end

local function take_shared(of, at)
  spec = of
  tenant, id, ticket = ARGV[at], ARGV[at + 1], spec.ticket and ARGV[at + 2] or nil
  local verdict, wait, by, owed, slot = step(id .. ' ' .. tenant)
  say(verdict)
  if verdict ~= -2 then
    say(wait)
    say(by)
    local lead, busy, reset = standing()
    say(busy)
    say(max(0, ceil(lead * spec.own - 1e-9)))
    say(reset)
    say(owed)
    say(in_flight)
    say(slot and NUMBER_OF[slot.priority] or 0)
    if slot then say(slot.ticket) end
  end
  return at + (spec.ticket and 3 or 2)
end

ENDS.drop = function(at)
  local owner = sharer_of(ARGV[at])
  local slot = owner and slot_of(owner, ARGV[at + 1])
  if slot then drop(ARGV[at], owner, slot) end
  return at + 2
end
operations(share_spec, open_sharing, take_shared, close_sharing)
return answers

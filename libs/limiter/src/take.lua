-- Step 1 of admission, and step 2 on a key that nobody shares: all of the rules of a take or none. And the ends of takes.
--
-- KEYS  the slots
-- ARGV  2 number of specs, then these, one text each: what is done ('take', 'ticket', 'look', 'settle', 'return', 'keep'); of the first three
--         cost in millionths, lease ms, ms to remember, calls, the ledger's day and month, then five words a rule:
--         bucket field capacity everyNs shadow | window kind limit - shadow | slots - limit - shadow
--       then of each slot: the number of its operations, and of each of these the number of its spec, the name of the take, and
--         take, look: the ledger's counts of day and month, '' = unknown, where a rule is a window;  ticket: the ticket, then as take
--         settle: what it really cost in millionths;  keep: ticket, for how long, ms
-- Answer, whole numbers, of each take and look: verdict (0 admitted, n = refused by rule n, -1 unknown ledger, -2 the take was closed, -3 the key
--       is paused); unless it is 0 or -2, microseconds to wait (-1 = for ever); unless it is -2, which rules would have refused in shadow mode
--       (bits, where there are such rules), and of each rule how much is used (of a bucket its debt), of a window also microseconds to its end.
local BUCKET, WINDOW, SLOTS = 1, 2, 3

local function take_spec(words)
  local spec = { ticket = words[1] == 'ticket', look = words[1] == 'look', cost = num(words[2]) }
  spec.remember, spec.calls, spec.day, spec.month = now + num(words[4]) * 1000, num(words[5]), num(words[6]), num(words[7])
  spec.lease = lease_until(num(words[3]))
  local wanted, taken = {}, ' '
  local n = 0
  for w = 8, #words, 5 do
    n = n + 1
    local kind, name = words[w], words[w + 1]
    local rule = { kind = kind == 'bucket' and BUCKET or kind == 'window' and WINDOW or SLOTS, field = name, limit = num(words[w + 2]), shadow = words[w + 4] == '1' }
    if rule.shadow then spec.shadow = true end
    if kind == 'bucket' then
      rule.every = num(words[w + 3])
      rule.full, rule.cost = rule.limit * rule.every, spec.calls * rule.every
      taken = taken .. name .. ' '
      if name ~= 'tenant' and name ~= 'key' then wanted[#wanted + 1] = 'bucket:' .. name end
      if name == 'key' then
        spec.key = true
        wanted[#wanted + 1] = 'pause'
      end
    elseif kind == 'window' then
      if not spec.windows then wanted[#wanted + 1] = 'windows' end
      spec.windows, spec['of_' .. name] = true, true
    else
      spec.slots = true
    end
    spec[n] = rule
  end
  spec.count, spec.wanted, spec.taken = n, #wanted > 0 and wanted or nil, taken
  if words[1] == 'take' and #wanted == 0 and not spec.shadow and spec[1].kind == BUCKET and (n == 1 or n == 2 and spec.slots) then
    spec.plain = take_text({ until_ = spec.remember, open = true, cost = spec.cost, lease = spec.slots and spec.lease or 0, calls = spec.calls, fields = taken })
  end
  return spec
end

-- Of the take that is being decided.
local used = {}
local day = { kind = 'day' }
local month = { kind = 'month' }

local function read_window(w, wanted, period, count, seed_period, seed_count)
  w.count, w.counted, w.stored, w.stored_count = nil, nil, period, count
  if not wanted then return end
  w.period = period_now(w.kind)
  -- a clock that was set back does not bring a used quota back
  if period >= w.period then w.period, w.count = period, count end
  if seed_count and seed_period <= w.period then w.count = max(w.count or 0, seed_period == w.period and seed_count or 0) end
  w.counted = w.count and w.period
  w.finish = period_end(w.kind, w.period)
end

-- Microseconds until the rule allows the call, -1 = never.
local function wait_for(spec, rule, use, held, kept, due)
  local kind = rule.kind
  if kind == WINDOW then
    if due == 0 or (use.count or 0) + due <= rule.limit then return 0 end
    return spec.cost > rule.limit and -1 or use.finish - now
  end
  if held then return 0 end
  if kind == BUCKET then
    if use + rule.cost <= rule.full then return 0 end
    if kept and kept.fields:find(' ' .. rule.field .. ' ', 1, true) then return 0 end
    return rule.limit < spec.calls and -1 or ceil((use + rule.cost - rule.full) / 1000)
  end
  if use < rule.limit then return 0 end
  return rule.limit == 0 and -1 or lease_end(use - rule.limit + 1) - now
end

-- Answers verdict, wait, and which rules would have refused in shadow mode: bits, and by number.
local function decide(spec, held, kept, due)
  local verdict, wait, bits, shadowed = 0, 0, 0, nil
  if spec.windows then
    for n = 1, spec.count do
      if spec[n].kind == WINDOW and used[n].count == nil and not spec[n].shadow then return -1, SECOND, 0, nil end
    end
  end
  for n = 1, spec.count do
    local rule = spec[n]
    local micros = wait_for(spec, rule, used[n], held, kept, due)
    if micros ~= 0 then
      if rule.shadow then
        shadowed = shadowed or {}
        shadowed[n] = true
        bits = bits + 2 ^ (n - 1)
      elseif verdict == 0 or (wait ~= -1 and (micros == -1 or micros > wait)) then
        verdict, wait = n, micros
      end
    end
  end
  return verdict, wait, bits, shadowed
end

local function taken_of(w, before, due)
  if not w.count then return before and before[w.kind], before and before[w.kind .. '-cost'] end
  return w.period, (before and before[w.kind] == w.period and before[w.kind .. '-cost'] or 0) + due
end
-- before: the take as it was held, or as it was kept
local function record(spec, before, shadowed, due, lease)
  local take = { until_ = spec.remember, open = true, cost = (before and before.cost or 0) + due, lease = lease, calls = spec.calls, fields = spec.taken }
  if spec.windows then
    if day.count or before then take.day, take['day-cost'] = taken_of(day, before, due) end
    if month.count or before then take.month, take['month-cost'] = taken_of(month, before, due) end
  elseif before then
    take.day, take['day-cost'], take.month, take['month-cost'] = before.day, before['day-cost'], before.month, before['month-cost']
  end
  if before or shadowed then
    take.fields = before and before.fields or ' '
    if not (before and not before.kept) then
      for n = 1, spec.count do
        local rule = spec[n]
        if rule.kind == BUCKET and not (shadowed and shadowed[n]) and not take.fields:find(' ' .. rule.field .. ' ', 1, true) then
          take.fields = take.fields .. rule.field .. ' '
        end
      end
    end
  end
  return take_text(take)
end
-- Most takes of a spec are the same but for their names.
local function new_record(spec, due, lease)
  if not spec.windows then day.counted, month.counted = nil, nil end
  if not spec.record or spec.record_day ~= day.counted or spec.record_month ~= month.counted then
    spec.record, spec.record_day, spec.record_month = record(spec, nil, nil, due, lease), day.counted, month.counted
  end
  return spec.record
end

local function spend_windows(due)
  if not day.counted and not month.counted then return end
  if day.counted then day.count = day.count + due end
  if month.counted then month.count = month.count + due end
  write_windows(day.counted or day.stored, day.count or day.stored_count, month.counted or month.stored, month.count or month.stored_count)
end
local function spend(spec, kept, shadowed, due)
  for n = 1, spec.count do
    local rule = spec[n]
    if not (shadowed and shadowed[n]) then
      if rule.kind == BUCKET then
        if not (kept and kept.fields:find(' ' .. rule.field .. ' ', 1, true)) then
          used[n] = used[n] + rule.cost
          write_bucket(rule.field, used[n], now, rule.every)
        end
      elseif rule.kind == SLOTS then
        lend(spec.lease)
        used[n] = used[n] + 1
      end
    end
  end
  if spec.windows then spend_windows(due) end
end

local function read(spec, at)
  for n = 1, spec.count do
    local rule = spec[n]
    if rule.kind == BUCKET then
      used[n] = debt_of(rule.field, rule.limit, rule.every, not spec.look)
    elseif rule.kind == WINDOW then
      used[n] = rule.field == 'day' and day or month
    else
      used[n] = in_flight
    end
  end
  if spec.windows then
    local of_day, day_count, of_month, month_count = read_windows()
    read_window(day, spec.of_day, of_day, day_count, spec.day, num(ARGV[at]))
    read_window(month, spec.of_month, of_month, month_count, spec.month, num(ARGV[at + 1]))
  end
end

local function step(spec, name, ticket)
  local kept = ticket and call('HGET', base .. ':kept', ticket)
  kept = kept and read_take(kept) or nil
  if kept then kept.kept = true end
  -- as if the take were new, which it nearly always is
  local cost = spec.cost
  local due = kept and max(0, cost - kept.cost) or cost
  local verdict, wait, bits, shadowed = decide(spec, nil, kept, due)
  if spec.key then
    local paused = field('pause')
    local pause = paused and num(paused) - now or 0
    if pause > 0 and (verdict == 0 or (wait ~= -1 and pause > wait)) then verdict, wait = -3, pause end
  end
  local text
  if verdict == 0 then
    local lease = spec.slots and spec.lease or 0
    if shadowed and lease > 0 then
      for n in pairs(shadowed) do
        if spec[n].kind == SLOTS then lease = 0 end
      end
    end
    if kept or shadowed then text = record(spec, kept, shadowed, due, lease) else text = new_record(spec, due, lease) end
  end
  if verdict ~= 0 or not write_new_take(name, text, spec.remember) then
    local held = remembered(name)
    if held then
      if not held.open then return -2 end
      due = max(0, cost - held.cost)
      verdict, wait, bits = decide(spec, held, nil, due)
      if verdict == 0 and due > 0 then
        -- the windows hold the difference by then; the record counts it on what was there
        text = record(spec, held, nil, due, held.lease)
        if spec.windows then spend_windows(due) end
        write_take(name, text, spec.remember, beginning_of(name))
      end
      return verdict, wait, bits
    end
    if verdict ~= 0 then return verdict, wait, bits end
    write_take(name, text, spec.remember, beginning_of(name))
  end
  spend(spec, kept, shadowed, due)
  if kept then call('HDEL', base .. ':kept', ticket) end
  return verdict, wait, bits
end

-- What a plan without quotas makes of a call that is admitted: only the slot's own bucket, and calls in flight. The same as step does, of which most is about
-- other things. Answers whether it was that.
local function plain_step(spec, name)
  local bucket, slots, left = spec[1], spec[2], 0
  if debt > 0 then
    if rate ~= bucket.every or since > now or debt > bucket.full then return false end
    left = debt - (now - since) * 1000
    if left < 0 then left = 0 end
  end
  left = left + bucket.cost
  if left > bucket.full or slots and in_flight >= slots.limit or not write_new_take(name, spec.plain, spec.remember) then return false end
  debt, since, rate = left, now, bucket.every
  if now + left / 1000 > need then need = now + left / 1000 end
  answers[said + 1], answers[said + 2] = 0, left
  said = said + 2
  if slots then
    lend(spec.lease)
    said = said + 1
    answers[said] = in_flight
  end
  return true
end

local function take(spec, at)
  local name, ticket = ARGV[at], nil
  at = at + 1
  if spec.plain and (kept_next == 0 or kept_next > now) and plain_step(spec, name) then return at end
  if spec.ticket then ticket, at = ARGV[at], at + 1 end
  if not spec.look then return_kept() end
  read(spec, at)
  local verdict, wait, bits = 0, 0, 0
  if not spec.look then verdict, wait, bits = step(spec, name, ticket) end
  if spec.windows then at = at + 2 end
  say(verdict)
  if verdict == -2 then return at end
  if verdict ~= 0 then say(wait) end
  if spec.shadow then say(bits) end
  for n = 1, spec.count do
    if spec[n].kind == WINDOW then
      say(used[n].count or 0)
      say(used[n].finish - now)
    else
      say(used[n])
    end
  end
  return at
end

operations(take_spec, open_slot, take, close_slot)
return answers

-- Step 1 of admission, and step 2 on a key that nobody shares, for any number of calls one after the other: for each of them all of its
-- rules or none.
--
-- KEYS  the slot of each take
-- ARGV  2 number of specs, then these, one string each: 'take' or 'look', lease ms, ms to remember, calls, then five words a rule:
--         bucket field capacity everyNs shadow | window kind limit - shadow | slots - limit - shadow
--       then of each take: number of its spec, name, cost in millionths, ticket ('' = none); where the spec has windows, also
--         day, its count, month, its count: the ledger's word, '' = unknown
-- Answer, whole numbers, of each take: verdict (0 admitted, n = refused by rule n, -1 unknown ledger, -2 the take was closed, -3 the key is
--       paused), microseconds to wait (-1 = for ever), then per rule: 1 when it would have refused in shadow mode, used (of a bucket its
--       debt), microseconds until nothing of it is used (of a bucket 0: the debt says it).
local specs = {}
for s = 1, num(ARGV[2]) do
  local words = {}
  for word in ARGV[2 + s]:gmatch('%S+') do words[#words + 1] = word end
  local spec = { looking = words[1] == 'look', lease = num(words[2]), remember = num(words[3]), calls = num(words[4]), rules = {} }
  for w = 5, #words, 5 do
    local rule = { kind = words[w], field = words[w + 1], limit = num(words[w + 2]), every = num(words[w + 3]), shadow = words[w + 4] == '1' }
    spec.rules[#spec.rules + 1] = rule
    if rule.kind == 'window' then spec.windows = true end
    if rule.field == 'key' then spec.key = true end
  end
  specs[s] = spec
end

-- Of the take that is being decided.
local base, spec, name, cost, ticket, at
local used, windows = {}, {}

-- For whom nobody came: the windows are corrected; the buckets, time has paid.
local function return_kept()
  local next_end = call('HGET', base .. 'kept', ' next')
  if not next_end or num(next_end) > now then return end
  local all, left = call('HGETALL', base .. 'kept'), nil
  for i = 1, #all, 2 do
    if all[i] ~= ' next' then
      local take = read_take(all[i + 1])
      if take.until_ <= now then
        call('HDEL', base .. 'kept', all[i])
        correct_windows(base, take, 0)
      else
        left = min(left or take.until_, take.until_)
      end
    end
  end
  if left then call('HSET', base .. 'kept', ' next', text(left)) else call('DEL', base .. 'kept') end
end

local function window(kind)
  local w = windows[kind]
  if w then return w end
  local stored = call('GET', base .. kind)
  w = { period = period_at(kind) }
  if stored then
    local period, count = struct.unpack('<dd', stored)
    -- a clock that was set back does not bring a used quota back
    if period >= w.period then w.period, w.count = period, count end
  end
  local arg = at + (kind == 'day' and 4 or 6)
  local seen = num(ARGV[arg])
  if seen and seen <= w.period then w.count = max(w.count or 0, seen == w.period and num(ARGV[arg + 1]) or 0) end
  w.finish = period_end(kind, w.period)
  windows[kind] = w
  return w
end

local function read()
  for n, rule in ipairs(spec.rules) do
    if rule.kind == 'bucket' then
      used[n] = debt_at(base .. 'bucket:' .. rule.field, rule.limit, rule.every, not spec.looking)
    elseif rule.kind == 'window' then
      used[n] = window(rule.field)
    else
      used[n] = call('ZCOUNT', base .. 'slots', '(' .. text(now), '+inf')
    end
  end
end

-- Microseconds until the rule allows the call, -1 = never.
local function wait_for(n, rule, held, kept, due)
  if rule.kind == 'window' then
    local w = used[n]
    if due == 0 or (w.count or 0) + due <= rule.limit then return 0 end
    return cost > rule.limit and -1 or w.finish - now
  end
  if held then return 0 end
  if rule.kind == 'bucket' then
    if kept and kept.fields:find(' ' .. rule.field .. ' ', 1, true) then return 0 end
    if rule.limit < spec.calls then return -1 end
    local short = used[n] + spec.calls * rule.every - rule.limit * rule.every
    return short > 0 and ceil(short / 1000) or 0
  end
  if used[n] < rule.limit then return 0 end
  if rule.limit == 0 then return -1 end
  local nth = call('ZRANGEBYSCORE', base .. 'slots', '(' .. text(now), '+inf', 'WITHSCORES', 'LIMIT', used[n] - rule.limit, 1)
  return num(nth[2]) - now
end

local shadowed = {}
local function decide(held, kept, due)
  local verdict, wait = 0, 0
  for n, rule in ipairs(spec.rules) do
    shadowed[n] = false
    if rule.kind == 'window' and used[n].count == nil and not rule.shadow then verdict, wait = -1, SECOND end
  end
  if verdict == -1 then return verdict, wait end
  for n, rule in ipairs(spec.rules) do
    local micros = wait_for(n, rule, held, kept, due)
    if micros ~= 0 then
      if rule.shadow then
        shadowed[n] = true
      elseif verdict == 0 or (wait ~= -1 and (micros == -1 or micros > wait)) then
        verdict, wait = n, micros
      end
    end
  end
  return verdict, wait
end

local function record(before, due)
  local take = {
    until_ = now + spec.remember * 1000, open = true, cost = (before and before.cost or 0) + due, calls = spec.calls,
    fields = before and before.fields or '',
  }
  for _, kind in ipairs({ 'day', 'month' }) do
    local w = windows[kind]
    if w and w.count then
      take[kind] = w.period
      take[kind .. '-cost'] = (before and before[kind] == w.period and before[kind .. '-cost'] or 0) + due
    elseif before then
      take[kind], take[kind .. '-cost'] = before[kind], before[kind .. '-cost']
    end
  end
  if before == nil or before.kept then
    for n, rule in ipairs(spec.rules) do
      if rule.kind == 'bucket' and not shadowed[n] and not take.fields:find(' ' .. rule.field .. ' ', 1, true) then
        take.fields = take.fields .. ' ' .. rule.field .. ' '
      end
    end
  end
  return write_take(take)
end

local function spend(held, kept, due)
  for n, rule in ipairs(spec.rules) do
    if not held and not shadowed[n] then
      if rule.kind == 'bucket' and not (kept and kept.fields:find(' ' .. rule.field .. ' ', 1, true)) then
        used[n] = used[n] + spec.calls * rule.every
        write_bucket(base .. 'bucket:' .. rule.field, used[n], now, rule.every, bucket_ms(rule.limit, rule.every))
      elseif rule.kind == 'slots' then
        call('ZREMRANGEBYSCORE', base .. 'slots', '-inf', text(now))
        call('ZADD', base .. 'slots', text(now + spec.lease * 1000), name)
        keep(base .. 'slots', spec.lease)
        used[n] = used[n] + 1
      end
    end
  end
  for kind, w in pairs(windows) do
    if w.count then
      w.count = w.count + due
      call('SET', base .. kind, struct.pack('<dd', w.period, w.count), 'PX', text(ceil((w.finish - now) / 1000) + SLACK_MS))
    end
  end
end

local function step()
  windows = {}
  if not spec.looking and (spec.windows or ticket ~= '') then return_kept() end
  read()
  if spec.looking then return 0, 0 end
  local key = base .. 'take:' .. name
  local kept = ticket ~= '' and call('HGET', base .. 'kept', ticket)
  kept = kept and read_take(kept) or nil
  if kept then kept.kept = true end

  -- as if the take were new, which it nearly always is
  local due = max(0, cost - (kept and kept.cost or 0))
  local verdict, wait = decide(nil, kept, due)
  local pause = spec.key and paused_for(base) or 0
  if pause > 0 and (verdict == 0 or (wait ~= -1 and pause > wait)) then verdict, wait = -3, pause end
  local remember = text(spec.remember + SLACK_MS)
  local new = verdict == 0 and call('SET', key, record(kept, due), 'PX', remember, 'NX')
  if not new then
    local held = remembered(key)
    if held then
      if not held.open then return -2, 0 end
      due = max(0, cost - held.cost)
      verdict, wait = decide(held, nil, due)
      if verdict == 0 and due > 0 then
        spend(held, nil, due)
        -- the windows hold the difference by now; the record counts it on what was there
        call('SET', key, record(held, due), 'PX', remember)
      end
      return verdict, wait
    end
    if verdict ~= 0 then return verdict, wait end
    call('SET', key, record(kept, due), 'PX', remember)
  end
  spend(nil, kept, due)
  if kept then call('HDEL', base .. 'kept', ticket) end
  return verdict, wait
end

local answers = {}
local function say(number) answers[#answers + 1] = number end
at = 3 + num(ARGV[2])
for k = 1, #KEYS do
  base, spec, name, cost, ticket = KEYS[k], specs[num(ARGV[at])], ARGV[at + 1], num(ARGV[at + 2]), ARGV[at + 3]
  local verdict, wait = step()
  say(verdict)
  say(wait)
  for n, rule in ipairs(spec.rules) do
    local use, reset = used[n], 0
    if rule.kind == 'window' then use, reset = used[n].count or 0, used[n].finish - now end
    say(shadowed[n] and 1 or 0)
    say(use)
    say(reset)
  end
  at = at + (spec.windows and 8 or 4)
end
return answers

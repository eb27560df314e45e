-- Reads and writes the slot: see state.lua.
local function expire(key, at) call('PEXPIRE', key, ceil((at - now) / 1000)) end
local function needed_until(at)
  dirty = true
  if at > need then need = at end
end

-- A field of :more: text, or false.
local function field(name)
  fields = fields or {}
  local value = fields[name]
  if value == nil then
    value = call('HGET', base .. ':more', name)
    fields[name] = value
  end
  return value
end
local function set_field(name, value, until_)
  fields, changes = fields or {}, changes or {}
  fields[name] = value
  changes[name] = value
  dirty = true
  if until_ > more_need then more_need = until_ end
end

-- Leases, by their ends: few different ones, and nearly each that is lent is one of the last.
local function read_leases() leases = leases or call('HGET', base, LEASES_FIELD) or '' end
local function set_leases(text)
  leases, leases_changed, dirty = text, true, true
end
local function first_lease() first_end = #leases > 0 and unpacked('<d', leases) or last_count > 0 and last_end or 0 end
local function end_leases()
  read_leases()
  local at = 1
  while at < #leases do
    local finish, count = unpacked(LEASE, leases, at)
    if finish > now then break end
    in_flight = in_flight - count
    at = at + LEASE_BYTES
  end
  leases, leases_changed = leases:sub(at), true
  if last_end <= now then in_flight, last_count = in_flight - last_count, 0 end
  first_lease()
end
-- Of those before the last: so many more, or fewer, that end then. Answers how many; one that is not there is not given back.
local function change_leases(until_, number)
  read_leases()
  local at, finish, count = 1, nil, nil
  while at < #leases do
    finish, count = unpacked(LEASE, leases, at)
    if finish >= until_ then break end
    at = at + LEASE_BYTES
  end
  local same = finish == until_
  local after = (same and count or 0) + number
  if after < 0 then return 0 end
  set_leases(leases:sub(1, at - 1) .. (after > 0 and pack(LEASE, until_, after) or '') .. leases:sub(same and at + LEASE_BYTES or at))
  return number
end
local function lend(until_)
  in_flight = in_flight + 1
  if until_ == last_end then
    last_count = last_count + 1
  elseif until_ > last_end then
    if last_count > 0 then
      read_leases()
      set_leases(leases .. pack(LEASE, last_end, last_count))
    end
    last_end, last_count = until_, 1
  else
    change_leases(until_, 1)
  end
  if first_end == 0 or until_ < first_end then first_end = until_ end
  needed_until(until_)
end
local function give_lease_back(until_)
  dirty = true
  read_leases()
  if until_ == last_end and last_count > 0 then
    last_count, in_flight = last_count - 1, in_flight - 1
  else
    in_flight = in_flight + change_leases(until_, -1)
  end
  first_lease()
end
-- When so many of the leases have ended.
local function lease_end(nth)
  read_leases()
  local ended = 0
  for at = 1, #leases, LEASE_BYTES do
    local finish, count = unpacked(LEASE, leases, at)
    ended = ended + count
    if ended >= nth then return finish end
  end
  return last_end
end
-- What is lent ends up to a sixteenth later, so that there are few different ends.
local function lease_until(ms)
  local grain = max(1, floor(ms * 1000 / 16))
  return ceil((now + ms * 1000) / grain) * grain
end

-- wanted: names of fields of :more that will be asked for; nil: none
local function open_slot(name, wanted)
  base = name
  local main = call('HGET', name, MAIN_FIELD)
  if main then
    expires, more_expires, takes_until, before_until, kept_next, debt, since, rate, in_flight, first_end, last_end, last_count, takes_last, before_last =
      unpacked(MAIN, main)
  else
    expires, more_expires, takes_until, before_until, kept_next = 0, 0, 0, 0, 0
    debt, since, rate, in_flight, first_end, last_end, last_count = 0, 0, 0, 0, 0, 0, 0
    takes_last, before_last = '', ''
  end
  stored_last = takes_last
  dirty, need, more_need, fields, changes, first_name, written, leases, leases_changed = false, 0, 0, nil, nil, nil, nil, nil, false
  if wanted then
    fields = {}
    local stored = call('HMGET', name .. ':more', unpack(wanted))
    for i = 1, #wanted do fields[wanted[i]] = stored[i] end
  end
  if in_flight > 0 and first_end <= now then end_leases() end
end

local function close_more()
  local words = { 'HSET', base .. ':more' }
  for name, value in pairs(changes) do
    words[#words + 1] = name
    words[#words + 1] = value
  end
  call(unpack(words))
  if more_need + LEAST_SPARE > more_expires then
    more_expires = more_need + SPARE
    expire(base .. ':more', more_expires)
  end
end
local function close_slot()
  if not dirty then return end
  if changes then close_more() end
  local renew = need + LEAST_SPARE > expires
  if renew then expires = need + SPARE end
  local main = pack(MAIN, expires, more_expires, takes_until, before_until, kept_next, debt, since, rate, in_flight, first_end, last_end, last_count,
    #takes_last, takes_last, #before_last, before_last)
  if leases_changed then call('HSET', base, LEASES_FIELD, leases) end
  if written then
    call('HSET', base, MAIN_FIELD, main, first_name, first_text, unpack(written))
  elseif first_name then
    call('HSET', base, MAIN_FIELD, main, first_name, first_text)
  else
    call('HSET', base, MAIN_FIELD, main)
  end
  if renew then expire(base, expires) end
end

-- Buckets. The slot's own, of all its takes, is in main.
local function read_bucket(name)
  if name == 'tenant' or name == 'key' then return debt, since, rate end
  local stored = field('bucket:' .. name)
  if stored then return unpacked('<ddd', stored) end
  return 0, 0, 0
end
local function write_bucket(name, owed, from, every)
  if name == 'tenant' or name == 'key' then
    debt, since, rate = owed, from, every
    needed_until(from + owed / 1000)
  else
    set_field('bucket:' .. name, pack('<ddd', owed, from, every), from + owed / 1000)
  end
end
-- The old rate until now, then the debt in calls is kept at the new rate; a lower capacity forgives what is above it.
local function debt_of(name, capacity, every, resume)
  local owed, from, before = read_bucket(name)
  if owed == 0 then return 0 end
  local left = max(0, owed - max(0, now - from) * 1000)
  if before ~= every then left = ceil(left * every / before) end
  local most = capacity * every
  -- under another rate or a lower capacity time begins anew from here, else it would go on paying at the old one and forgive again
  -- each time: a wait that was told would not be true
  if resume and left > 0 and capacity > 0 and (before ~= every or left > most) then
    write_bucket(name, min(left, most), now, every)
  -- and after a clock was set back, else the bucket would stand still until it has caught up
  elseif resume and from > now then
    write_bucket(name, owed, now, before)
  end
  return min(left, most)
end

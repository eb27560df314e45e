-- Takes that are remembered. The slot's hash has the latest; when those before them are all forgotten, that hash goes as a whole and this one takes its
-- place. A name that begins with more than the last name of a hash does is not in it: names mostly begin with their time, so that a new one is mostly
-- looked for nowhere.
--
-- A take: flags (1 open, 2 windows, 4 charged), until when it is remembered; of an open one also its cost, the end of its lease (0 = none), its
-- calls, its windows (day, its cost, month, its cost; -1 = none), what its tenant's tag was charged, and the fields of its buckets, each between spaces.
local BEGINNING = 40
-- A take that is closed is known as closed that long; closedUntilMicros in rules.ts.
local REMEMBER_CLOSED = 30e6
-- No name, and too long for the encoding of small hashes, which are searched from one end to the other.
local PADDING, NO_NAME = string.rep('-', 65), ' '

local function read_take(stored)
  local flags, until_ = unpacked('<Bd', stored)
  local take = { until_ = until_, open = flags % 2 == 1, fields = ' ' }
  if not take.open then return take end
  local at
  take.cost, take.lease, take.calls, at = unpacked('<ddI2', stored, 10)
  if flags % 4 >= 2 then
    local day, day_cost, month, month_cost
    day, day_cost, month, month_cost, at = unpacked('<dddd', stored, at)
    if day >= 0 then take.day, take['day-cost'] = day, day_cost end
    if month >= 0 then take.month, take['month-cost'] = month, month_cost end
  end
  if flags >= 4 then take.charged, at = unpacked('<d', stored, at) end
  take.fields = stored:sub(at)
  return take
end
local function take_text(t)
  if not t.open then return pack('<Bd', 0, t.until_) end
  local windows = t.day or t.month
  local text = pack('<BdddI2', 1 + (windows and 2 or 0) + (t.charged and 4 or 0), t.until_, t.cost, t.lease, t.calls)
  if windows then text = text .. pack('<dddd', t.day or -1, t['day-cost'] or 0, t.month or -1, t['month-cost'] or 0) end
  if t.charged then text = text .. pack('<d', t.charged) end
  return text .. t.fields
end

local function beginning_of(name) return #name > BEGINNING and name:sub(1, BEGINNING) or name end

-- What was to be written is written, and what matters of the hash goes on in a new one.
local function begin_takes()
  if first_name then
    call('HSET', base, first_name, first_text, unpack(written or {}))
    first_name, written = nil, nil
  end
  if takes_until > 0 then
    call('UNLINK', base .. ':before')
    call('RENAME', base, base .. ':before')
    expire(base .. ':before', takes_until + SPARE)
    before_until, before_last = takes_until, takes_last
    leases, leases_changed = leases or call('HGET', base .. ':before', LEASES_FIELD) or '', true
  end
  call('HSET', base, NO_NAME, PADDING)
  takes_until, takes_last, stored_last, expires = 0, '', '', 0
end
local function write_take(name, text, until_, beginning)
  if takes_until == 0 or before_until <= now then begin_takes() end
  if not first_name then
    first_name, first_text = name, text
  else
    written = written or {}
    local count = #written
    written[count + 1], written[count + 2] = name, text
  end
  if until_ > takes_until then takes_until = until_ end
  if until_ > need then need = until_ end
  if beginning > takes_last then takes_last = beginning end
  dirty = true
end
local function stored_take(name, beginning)
  if beginning <= takes_last then
    for i = written and #written or 0, 2, -2 do
      if written[i - 1] == name then return written[i] end
    end
    if first_name == name then return first_text end
    local stored = beginning <= stored_last and call('HGET', base, name)
    if stored then return stored end
  end
  return before_until > now and beginning <= before_last and call('HGET', base .. ':before', name)
end
local function remembered(name)
  local stored = stored_take(name, beginning_of(name))
  local take = stored and read_take(stored)
  return take and take.until_ > now and take or nil
end
-- Answers whether nobody had that name.
local function write_new_take(name, text, until_)
  local beginning = #name > BEGINNING and name:sub(1, BEGINNING) or name
  if beginning <= takes_last or before_until > now and beginning <= before_last then
    local stored = stored_take(name, beginning)
    if stored and unpacked('<d', stored, 2) > now then return false end
  end
  write_take(name, text, until_, beginning)
  return true
end
local function close_take(name, take)
  take.open, take.until_ = false, min(take.until_, now + REMEMBER_CLOSED)
  write_take(name, take_text(take), take.until_, beginning_of(name))
  if take.lease > now then give_lease_back(take.lease) end
end

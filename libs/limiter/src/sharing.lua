-- Who has had how much of a shared key; sharing.ts says what each thing means. Keys of the slot besides those of slot.lua: of the state the field
-- 'share' (virtual, at, skew, weight, calls open); 'ahead' (zset: tags ahead of virtual time), 'open' (zset: 'calls tenant ticket' by time),
-- 'sharers' (hash: weight, quota, slot-at, brings tickets, tag (-1 = not ahead), number of open slots, and of each its time, calls, priority and ticket),
-- 'recent' (zset: tenants by when they were given a slot).
local GRACE, HORIZON, CALM, FIRST_QUOTA, MOST_QUOTA, CLEARED = 2 * SECOND, 20 * SECOND, 10 * SECOND, 2, 16, 8
local SHARE, SHARER, SLOT = '<ddddd', '<dBdBdB', '<dI2BBc0'
local PRIORITIES, NUMBER_OF = { 'interactive', 'batch' }, { interactive = 1, batch = 2 }
local WANTED = { 'share', 'pause' }

local known, virtual, last, skew, weight, open_calls
local sharers, changed, share_until, share_changed
-- Open slots in their order, read in portions as they are wanted: nearly always the first few decide.
local open, open_read, open_size, portion
-- Time stands still in a script: what none of was overdue is not looked for again.
local none_overdue, none_calm

local function open_changed() open, open_read, portion = nil, false, 32 end

local function open_sharing(name)
  open_slot(name, WANTED)
  known = fields.share and true or false
  if known then
    virtual, last, skew, weight, open_calls = unpacked(SHARE, fields.share)
  else
    virtual, last, skew, weight, open_calls = 0, 0, 0, 0, 0
  end
  sharers, changed, share_until, share_changed, open_size = {}, {}, 0, false, nil
  none_overdue, none_calm = false, false
  open_changed()
end

local function sharer_text(sharer)
  local text = pack(SHARER, sharer.weight, sharer.quota, sharer.slot_at, sharer.brings and 1 or 0, sharer.tag or -1, #sharer.slots)
  for _, slot in ipairs(sharer.slots) do text = text .. pack(SLOT, slot.at, slot.calls, NUMBER_OF[slot.priority], #slot.ticket, slot.ticket) end
  return text
end
local function close_sharing()
  if known or weight > 0 or open_calls > 0 or next(changed) then
    if share_changed then set_field('share', pack(SHARE, virtual, last, skew, weight, open_calls), share_until) end
    local words = { 'HSET', base .. ':sharers' }
    for tenant in pairs(changed) do
      local sharer = sharers[tenant]
      if sharer then
        words[#words + 1] = tenant
        words[#words + 1] = sharer_text(sharer)
      else
        call('HDEL', base .. ':sharers', tenant)
      end
    end
    if #words > 2 then call(unpack(words)) end
  end
  close_slot()
  if share_until == 0 then return end
  -- none of them is there longer than the state, which says what they are worth
  for _, key in ipairs({ ':ahead', ':open', ':sharers', ':recent' }) do
    local ms = call('PTTL', base .. key)
    if ms ~= -2 and ms < (share_until - now) / 1000 then expire(base .. key, more_expires) end
  end
end

local function sharer_of(tenant)
  local sharer = sharers[tenant]
  if sharer ~= nil then return sharer end
  local stored = known and call('HGET', base .. ':sharers', tenant)
  sharer = false
  if stored then
    local own, quota, slot_at, brings, tag, count, at = unpacked(SHARER, stored)
    sharer = { weight = own, quota = quota, slot_at = slot_at, brings = brings == 1, tag = tag >= 0 and tag or nil, slots = {} }
    for n = 1, count do
      local due, calls, priority, ticket
      due, calls, priority, ticket, at = unpacked(SLOT, stored, at)
      sharer.slots[n] = { at = due, calls = calls, priority = PRIORITIES[priority], ticket = ticket }
    end
  end
  sharers[tenant] = sharer
  return sharer
end
local function put_sharer(tenant, sharer)
  sharers[tenant] = sharer
  changed[tenant] = true
  share_changed = true
end

local function set_tag(tenant, tag)
  local sharer = sharer_of(tenant)
  if tag then call('ZADD', base .. ':ahead', tag, tenant) else call('ZREM', base .. ':ahead', tenant) end
  if sharer then
    sharer.tag = tag or nil
    put_sharer(tenant, sharer)
  end
end

local function rest(tenant)
  local sharer = sharer_of(tenant)
  if not sharer or sharer.weight == 0 or #sharer.slots > 0 or sharer.tag then return end
  weight = weight - sharer.weight
  sharer.weight = 0
  if weight == 0 then virtual = 0 end
  put_sharer(tenant, sharer.slot_at + CALM > last and sharer)
end

local function charge(tenant, sharer, own, lead, calls)
  put_sharer(tenant, sharer)
  weight = weight + own - sharer.weight
  sharer.weight = own
  set_tag(tenant, virtual + lead + calls / own)
end

local function uncharge(tenant, amount)
  local sharer = sharer_of(tenant)
  local tag = sharer and sharer.tag
  if not tag then return end
  set_tag(tenant, tag - amount > virtual and tag - amount)
  rest(tenant)
end
-- On a key's slot a take's name ends with its tenant.
give_share_back = function(name, amount) uncharge(name:match('%S+$'), amount) end

local function member_of(tenant, slot) return slot.calls .. ' ' .. tenant .. ' ' .. slot.ticket end
local function put_in(tenant, sharer, slot)
  sharer.slots[#sharer.slots + 1] = slot
  put_sharer(tenant, sharer)
  call('ZADD', base .. ':open', slot.at, member_of(tenant, slot))
  open_calls = open_calls + slot.calls
  if open_size then open_size = open_size + 1 end
  open_changed()
end
local function take_out(tenant, sharer, slot)
  for i, other in ipairs(sharer.slots) do
    if other == slot then
      table.remove(sharer.slots, i)
      break
    end
  end
  put_sharer(tenant, sharer)
  call('ZREM', base .. ':open', member_of(tenant, slot))
  open_calls = open_calls - slot.calls
  if open_size then open_size = open_size - 1 end
  open_changed()
  rest(tenant)
end
local function move(tenant, sharer, slot, at)
  slot.at = at
  put_sharer(tenant, sharer)
  call('ZADD', base .. ':open', at, member_of(tenant, slot))
  open_changed()
end
local function slot_of(sharer, ticket)
  for _, slot in ipairs(sharer.slots) do
    if slot.ticket == ticket then return slot end
  end
end
local function drop(tenant, sharer, slot)
  local charged = slot.calls / sharer.weight
  take_out(tenant, sharer, slot)
  uncharge(tenant, charged)
end

local function size_of_open()
  open_size = open_size or call('ZCARD', base .. ':open')
  return open_size
end
local function slot_number(n)
  open = open or {}
  if n > #open and not open_read then
    local more = call('ZRANGE', base .. ':open', #open, #open + portion - 1, 'WITHSCORES')
    for i = 1, #more, 2 do
      local first, second = more[i]:byte(1, 2)
      -- nearly always one digit and a space
      open[#open + 1] = { num(more[i + 1]), second == 32 and first - 48 or num(more[i]:match('^%d+')) }
    end
    open_read = #more < 2 * portion
    portion = 256
  end
  return open[n]
end

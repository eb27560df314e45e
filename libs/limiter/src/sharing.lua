-- Who has had how much of a shared key; sharing.ts says what each thing means. Keys of the slot: 'share' (hash: virtual, at, skew, weight,
-- calls open), 'ahead' (zset: tags ahead of virtual time), 'open' (zset: 'calls tenant ticket' by time), 'sharers' (hash: 'weight quota
-- slot-at brings-tickets' and four words an open slot: at, calls, priority, ticket), 'recent' (zset: tenants by when they were given a slot).
local GRACE, HORIZON, CALM, FIRST_QUOTA, MOST_QUOTA, CLEARED = 2 * SECOND, 20 * SECOND, 10 * SECOND, 2, 16, 8
local base = KEYS[1]
local function exact(n) return string.format('%.17g', n) end

local stored = call('HMGET', base .. 'share', 'virtual', 'at', 'skew', 'weight', 'calls')
local known = stored[1] and true or false
local virtual, last, skew = num(stored[1] or 0), num(stored[2] or 0), num(stored[3] or 0)
local weight, open_calls = num(stored[4] or 0), num(stored[5] or 0)
local function save_sharing()
  if not known and weight == 0 and open_calls == 0 then return end
  call('HSET', base .. 'share', 'virtual', exact(virtual), 'at', text(last), 'skew', text(skew), 'weight', text(weight), 'calls', text(open_calls))
end

local sharers, changed = {}, {}
local function sharer_of(tenant)
  local sharer = sharers[tenant]
  if sharer ~= nil then return sharer end
  local words = call('HGET', base .. 'sharers', tenant)
  sharer = false
  if words then
    local own, quota, slot_at, brings, rest = words:match('^(%d+) (%d+) (%d+) (%d)(.*)$')
    sharer = { weight = num(own), quota = num(quota), slot_at = num(slot_at), brings = brings == '1', slots = {} }
    for at, calls, priority, ticket in rest:gmatch(' (%d+) (%d+) (%S+) (%S+)') do
      sharer.slots[#sharer.slots + 1] = { at = num(at), calls = num(calls), priority = priority, ticket = ticket }
    end
  end
  sharers[tenant] = sharer
  return sharer
end
local function put_sharer(tenant, sharer)
  sharers[tenant] = sharer
  changed[tenant] = true
end
local function save_sharers()
  for tenant in pairs(changed) do
    local sharer = sharers[tenant]
    if sharer then
      local words = { string.format('%.0f %d %.0f %d', sharer.weight, sharer.quota, sharer.slot_at, sharer.brings and 1 or 0) }
      for i, slot in ipairs(sharer.slots) do
        words[i + 1] = string.format('%.0f %.0f %s %s', slot.at, slot.calls, slot.priority, slot.ticket)
      end
      call('HSET', base .. 'sharers', tenant, table.concat(words, ' '))
    else
      call('HDEL', base .. 'sharers', tenant)
    end
  end
end

local tags = {}
local function tag_of(tenant)
  local tag = tags[tenant]
  if tag == nil then
    tag = num(call('ZSCORE', base .. 'ahead', tenant)) or false
    tags[tenant] = tag
  end
  return tag or nil
end
local function set_tag(tenant, tag)
  tags[tenant] = tag or false
  if tag then call('ZADD', base .. 'ahead', exact(tag), tenant) else call('ZREM', base .. 'ahead', tenant) end
end

local function rest(tenant)
  local sharer = sharer_of(tenant)
  if not sharer or sharer.weight == 0 or #sharer.slots > 0 or tag_of(tenant) then return end
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
  local tag = tag_of(tenant)
  if not tag then return end
  set_tag(tenant, tag - amount > virtual and tag - amount)
  rest(tenant)
end

local function member_of(tenant, slot) return text(slot.calls) .. ' ' .. tenant .. ' ' .. slot.ticket end
local function put_in(tenant, sharer, slot)
  sharer.slots[#sharer.slots + 1] = slot
  put_sharer(tenant, sharer)
  call('ZADD', base .. 'open', text(slot.at), member_of(tenant, slot))
  open_calls = open_calls + slot.calls
end
local function take_out(tenant, sharer, slot)
  for i, other in ipairs(sharer.slots) do
    if other == slot then
      table.remove(sharer.slots, i)
      break
    end
  end
  put_sharer(tenant, sharer)
  call('ZREM', base .. 'open', member_of(tenant, slot))
  open_calls = open_calls - slot.calls
  rest(tenant)
end
local function move(tenant, sharer, slot, at)
  slot.at = at
  put_sharer(tenant, sharer)
  call('ZADD', base .. 'open', text(at), member_of(tenant, slot))
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

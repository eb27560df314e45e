-- Ends a take: frees its slot and corrects the windows; a return also gives the buckets their calls back, and a shared key's tenant its
-- share. A take that is closed, forgotten or unknown is left as it is, so that both can be repeated.
--
-- KEYS  1 the slot
-- ARGV  2 name of the take  3 what it really cost in millionths, '' = a return  4 tenant
-- Answer: 1 when something was ended, else 0.
local name, credits = ARGV[2], num(ARGV[3])
local key = base .. 'take:' .. name
local take = remembered(key)
if not take or not take.open then return 0 end
take.open = false
call('SET', key, write_take(take), 'KEEPTTL')
call('ZREM', base .. 'slots', name)
correct_windows(base, take, credits or 0)
if credits then return 1 end

for field in take.fields:gmatch('%S+') do
  local debt, since, every = read_bucket(base .. 'bucket:' .. field)
  if debt then
    call('SET', base .. 'bucket:' .. field, struct.pack('<ddd', max(0, debt - take.calls * every), since, every), 'KEEPTTL')
  end
end
if take.charged then
  uncharge(ARGV[4], take.charged)
  save_sharers()
  save_sharing()
end
return 1

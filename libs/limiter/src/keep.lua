-- What a take holds in buckets and windows stays taken, under a ticket; its slot is freed and the take is closed.
--
-- KEYS  1 the slot
-- ARGV  2 name of the take  3 ticket  4 for how long, ms
-- Answer: 1 when something was kept, else 0.
local base, name, ticket, for_ms = KEYS[1], ARGV[2], ARGV[3], num(ARGV[4])
local key = base .. 'take:' .. name
local take = remembered(key)
if not take or not take.open then return 0 end
take.open = false
call('SET', key, write_take(take), 'KEEPTTL')
call('ZREM', base .. 'slots', name)
take.until_ = now + for_ms * 1000
local next_end = num(call('HGET', base .. 'kept', ' next') or nil)
call('HSET', base .. 'kept', ticket, write_take(take), ' next', text(min(next_end or take.until_, take.until_)))
-- as long as a window counts what nobody may come for
local finish = take.until_
if take.day then finish = max(finish, period_end('day', take.day)) end
if take.month then finish = max(finish, period_end('month', take.month)) end
keep(base .. 'kept', (finish - now) / 1000)
return 1

-- The end of a take: its lease is given back and the windows are corrected; a return also gives the buckets their calls back, and a shared
-- key's tenant its share (sharing.lua). A take that is closed, forgotten or unknown is left as it is, so that all of it can be repeated.
local give_share_back

local function end_take(name, credits)
  local take = remembered(name)
  if not take or not take.open then return end
  close_take(name, take)
  correct_windows(take, credits or 0)
  if credits then return end
  for bucket in take.fields:gmatch('%S+') do
    local owed, from, every = read_bucket(bucket)
    if owed > 0 then write_bucket(bucket, max(0, owed - take.calls * every), from, every) end
  end
  if take.charged then give_share_back(name, take.charged) end
end

-- What a take holds in buckets and windows stays taken, under a ticket.
local function keep_take(name, ticket, for_ms)
  local take = remembered(name)
  if not take or not take.open then return end
  close_take(name, take)
  take.open, take.until_ = true, now + for_ms * 1000
  call('HSET', base .. ':kept', ticket, take_text(take))
  kept_next = kept_next > 0 and min(kept_next, take.until_) or take.until_
  -- as long as a window counts what nobody may come for
  local until_ = take.until_
  if take.day then until_ = max(until_, period_end('day', take.day)) end
  if take.month then until_ = max(until_, period_end('month', take.month)) end
  needed_until(until_)
  if call('PTTL', base .. ':kept') < (until_ + LEAST_SPARE - now) / 1000 then expire(base .. ':kept', until_ + SPARE) end
end

-- For whom nobody came: the windows are corrected; the buckets, time has paid.
local function return_kept()
  if kept_next == 0 or kept_next > now then return end
  local all = call('HGETALL', base .. ':kept')
  kept_next, dirty = 0, true
  for i = 1, #all, 2 do
    local take = read_take(all[i + 1])
    if take.until_ <= now then
      call('HDEL', base .. ':kept', all[i])
      correct_windows(take, 0)
    elseif kept_next == 0 or take.until_ < kept_next then
      kept_next = take.until_
    end
  end
end

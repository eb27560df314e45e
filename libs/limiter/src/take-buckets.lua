-- Many takes that meet one bucket each, of as many slots as they like: what a burst of calls mostly is, without what the other limits need.
-- It decides as take.lua does, one take after the other.
--
-- KEYS  of each group of takes on one bucket: the bucket, then the takes
-- ARGV  2 number of specs, then five of each: capacity, everyNs, calls, ms to remember, the rest of a take's record after its end and 'open'
--       then of each group: number of its spec, number of its takes
-- Answer, of each take a whole number: the bucket's debt when it was admitted, -1 less the debt when it was refused, -2^53 when its name is
--       known: then take.lua has to say. Numbers, because making text of them would take a twentieth of all the time.
local KNOWN = -9007199254740992
local specs = {}
for s = 1, num(ARGV[2]) do
  local w = 3 + (s - 1) * 5
  local every, calls, remember = num(ARGV[w + 1]), num(ARGV[w + 2]), num(ARGV[w + 3])
  specs[s] = {
    capacity = num(ARGV[w]), full = num(ARGV[w]) * every, every = every, cost = calls * every,
    take = text(now + remember * 1000) .. ' 1 ' .. ARGV[w + 4], take_ms = text(remember + SLACK_MS),
    bucket_ms = bucket_ms(num(ARGV[w]), every),
  }
end

local answers, k = {}, 0
for at = 3 + num(ARGV[2]) * 5, #ARGV, 2 do
  local spec = specs[num(ARGV[at])]
  local bucket = KEYS[k + 1]
  local debt = debt_at(bucket, spec.capacity, spec.every, true)
  local spent = false
  for take = k + 2, k + 1 + num(ARGV[at + 1]) do
    local key, answer = KEYS[take], KNOWN
    if debt + spec.cost > spec.full then
      if call('EXISTS', key) == 0 then answer = -1 - debt end
    elseif call('SET', key, spec.take, 'PX', spec.take_ms, 'NX') then
      debt = debt + spec.cost
      spent = true
      answer = debt
    end
    answers[#answers + 1] = answer
  end
  if spent then write_bucket(bucket, debt, now, spec.every, spec.bucket_ms) end
  k = k + 1 + num(ARGV[at + 1])
end
return answers

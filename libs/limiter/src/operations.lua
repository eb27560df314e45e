-- Reads ARGV and carries out what it says, slot by slot: see take.lua and share.lua for what a spec and an operation are.
--
-- spec_of  makes a spec of its words;  open, close  a slot;  take  takes a spec and where its arguments begin, and answers where the next operation does
local ENDS = {
  settle = function(at)
    end_take(ARGV[at], num(ARGV[at + 1]))
    return at + 2
  end,
  ['return'] = function(at)
    end_take(ARGV[at])
    return at + 1
  end,
  keep = function(at)
    keep_take(ARGV[at], ARGV[at + 1], num(ARGV[at + 2]))
    return at + 3
  end,
}

local function operations(spec_of, open, take, close)
  local specs, count = {}, num(ARGV[2])
  for s = 1, count do
    local words, n = {}, 0
    for word in ARGV[2 + s]:gmatch('%S+') do
      n = n + 1
      words[n] = word
    end
    specs[tostring(s)] = ENDS[words[1]] and { ends = ENDS[words[1]] } or spec_of(words)
  end
  local at = 3 + count
  for k = 1, #KEYS do
    local last = num(ARGV[at])
    at = at + 1
    open(KEYS[k], specs[ARGV[at]].wanted)
    for _ = 1, last do
      local spec = specs[ARGV[at]]
      if spec.ends then at = spec.ends(at + 1) else at = take(spec, at + 1) end
    end
    close()
  end
end

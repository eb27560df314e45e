-- The upstream refused a call with a key: nobody's take of it is admitted for a while. Of several pauses the one that ends last counts.
--
-- KEYS  1 the key's slot
-- ARGV  2 for how long, ms
open_slot(KEYS[1], { 'pause' })
local until_ = now + num(ARGV[2]) * 1000
if until_ > (num(fields.pause or 0)) then
  set_field('pause', string.format('%.0f', until_), until_)
  close_slot()
end
return 1

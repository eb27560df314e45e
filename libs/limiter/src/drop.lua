-- Nobody will come for a slot of a shared key: others have it, and it never counted.
--
-- KEYS  1 the key's slot
-- ARGV  2 tenant  3 ticket
-- Answer: 1 when a slot was dropped, else 0.
local tenant, ticket = ARGV[2], ARGV[3]
local sharer = sharer_of(tenant)
local slot = sharer and slot_of(sharer, ticket)
if not slot then return 0 end
drop(tenant, sharer, slot)
save_sharers()
save_sharing()
return 1

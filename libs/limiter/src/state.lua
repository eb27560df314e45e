-- The slot that is worked on: read with one call, written with one when its operations are done. Keys of a slot, each of which begins with its name:
--   the name alone   hash: ' main' (below), ' leases' (pairs of a lease's end and how many end then, but for the last ones), and takes by name (takes.lua)
--   :before   hash of earlier takes
--   :more     hash: 'windows' (day, its count, month, its count), 'bucket:<field>' (debt, since when, at which rate), 'pause' (until when the
--             upstream refuses the key), 'share' (sharing.lua)
--   :kept     hash of takes by ticket
-- main: when the hash expires, and :more; until when the takes matter that are in it, and those before them; when a kept take ends next; debt, since,
-- rate of the bucket that every take of the slot meets; calls in flight, when the first of their leases ends; the last leases' end and number; how the
-- last name of the takes begins in the order of names, and of those before them.
local MAIN, LEASE, LEASE_BYTES = '<ddddddddI4ddI4Bc0Bc0', '<dI4', 12
local MAIN_FIELD, LEASES_FIELD = ' main', ' leases'
-- Expiry is put off rarely, and by so much more than is needed. Decisions never depend on it.
local SPARE, LEAST_SPARE = 20 * SECOND, 10 * SECOND

local base
local expires, more_expires, takes_until, before_until, kept_next
local debt, since, rate, in_flight, first_end, last_end, last_count
local takes_last, before_last
-- the last name of those that are in the hash already
local stored_last
-- nil: not asked for
local leases, leases_changed
local dirty, need, more_need, fields, changes
-- Takes to be written with main: the first of them, and the others, name and text after one another.
local first_name, first_text, written

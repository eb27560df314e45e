-- How far each log had come when its events went over the bus: what a log that was cut off or written anew no longer agrees with.
create table witnessed_heads (
  tenant_id  text primary key,
  position   bigint not null,
  event_id   uuid not null,
  -- of the log up to that event; null from a relay that did not say it
  chain_hash bytea,
  -- when the event happened, ms
  at         bigint not null
) with (fillfactor = 70);

grant select, insert, update on witnessed_heads to weir_audit_ledger;

-- How far each log had come, and by which chain, whenever its events went over the bus: what a log that was cut off or written anew no
-- longer agrees with. The first word on a position stands, so a row is never changed.
create table witnessed_heads (
  tenant_id  text not null,
  position   bigint not null,
  event_id   uuid not null,
  -- of the log up to that event; null from a relay that did not say it
  chain_hash bytea,
  -- when the event happened, ms
  at         bigint not null,
  primary key (tenant_id, position)
);

grant select, insert on witnessed_heads to weir_audit_ledger;

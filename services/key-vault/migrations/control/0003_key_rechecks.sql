-- Keys to try again without anyone asking, over all tenants: without credits, in case somebody has bought more, and with a version that
-- was left without a verdict. Written in the transaction of the events.
create table key_rechecks (
  tenant_id text not null,
  key_id    text not null,
  -- looks so far; each doubles the wait
  tries     int not null default 0,
  due_at    timestamptz not null,
  primary key (tenant_id, key_id)
);
create index key_rechecks_due on key_rechecks (due_at);
grant select, insert, update, delete on key_rechecks to weir_key_vault;
select weir.travels('key_rechecks');

-- Keys with a version that drains, over all tenants, so that one look finds what is due. Written in the transaction of the events.
create table key_drains (
  tenant_id   text not null,
  key_id      text not null,
  -- ms since the epoch, of the version that is due first
  drain_until bigint not null,
  primary key (tenant_id, key_id)
);
create index key_drains_due on key_drains (drain_until);
grant select, insert, update, delete on key_drains to weir_key_vault;
select weir.travels('key_drains');

-- Deliveries that are due, over all tenants: one look finds them. Taken with a lease, so that a sender that dies leaves it to another.
create table due_deliveries (
  tenant_id   text not null,
  delivery_id text not null,
  -- ms since the epoch
  due_at      bigint not null,
  primary key (tenant_id, delivery_id)
);
create index due_deliveries_at on due_deliveries (due_at);

grant select, insert, update, delete on due_deliveries to weir_metering;
select weir.travels('due_deliveries');

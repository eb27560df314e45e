-- Read models over all tenants, written in the transaction of the events they follow.
create table tenants (
  id             text primary key,
  slug           text not null unique,
  name           text not null,
  status         text not null,
  key_mode       text not null,
  plan_id        text not null,
  plan_version   int not null,
  placement      text not null,
  trial_ends_at  bigint,
  version        int not null,
  created_at     bigint not null
);

create table operations (
  id          text primary key,
  tenant_id   text not null,
  kind        text not null,
  status      text not null,
  detail      text,
  -- what the operation needs to go on after a crash
  command     jsonb not null,
  created_at  bigint not null,
  finished_at bigint
);
create index operations_open on operations (created_at) where status = 'running';

create table plans (
  id           text not null,
  version      int not null,
  status       text not null,
  terms        jsonb not null,
  primary key (id, version)
);

grant select, insert, update, delete on tenants, operations, plans to weir_tenant_registry;

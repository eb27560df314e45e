-- A release's way through all homes (a home is a tenant's schema, or the pooled one) of this database:
--
--     canary ──▶ rolling ──▶ done         canary | rolling ──a home fails──▶ stopped ──run again──▶ canary
--
-- One at a time. What a killed migrator leaves open is taken up by the next, since a home's step is done in the transaction of its DDL.
create table weir.migration_runs (
  id          uuid primary key,
  -- SHA-256 over the release's tenant migrations
  release     text not null,
  state       text not null check (state in ('canary', 'rolling', 'done', 'stopped')),
  homes       int not null,
  workers     int not null,
  detail      text,
  started_at  timestamptz not null default now(),
  finished_at timestamptz
);
create unique index migration_runs_open on weir.migration_runs ((true)) where state in ('canary', 'rolling');

create table weir.migration_steps (
  run_id      uuid not null references weir.migration_runs (id) on delete cascade,
  schema_name name not null,
  canary      boolean not null,
  state       text not null default 'pending' check (state in ('pending', 'done', 'failed')),
  -- tries that met a lock; each waits longer than the one before
  tries       int not null default 0,
  not_before  timestamptz not null default now(),
  detail      text,
  finished_at timestamptz,
  primary key (run_id, schema_name)
);
create index migration_steps_pending on weir.migration_steps (run_id, not_before) where state = 'pending';
grant select on weir.migration_runs, weir.migration_steps to weir_tenant_registry;

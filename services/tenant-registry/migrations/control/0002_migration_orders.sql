-- What operators have asked of the migrator: one order is a run through every database, and says how it ended. How far each database is stands
-- there (weir.migration_runs).
--
--     running ──▶ done | failed
--        └──its process died, and alive_until passes──▶ cut-off
create table migration_orders (
  id          text primary key,
  state       text not null check (state in ('running', 'done', 'failed', 'cut-off')),
  actor       text not null,
  -- schemas that it has brought to the release, once it is done
  migrated    int,
  error       jsonb,
  started_at  timestamptz not null default now(),
  finished_at timestamptz,
  -- renewed while its process works at it
  alive_until timestamptz not null
);
create unique index migration_orders_open on migration_orders (state) where state = 'running';
grant select, insert, update on migration_orders to weir_tenant_registry;

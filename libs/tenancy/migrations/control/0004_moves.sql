-- Moves of tenants between placements. `placements.epoch` of the home database is the point of no return: as long as it is below
-- `epoch` here, a move that was cut off is undone, from then on it is finished.
create table weir.moves (
  tenant_id   text primary key,
  epoch       int not null,
  from_kind   text not null,
  from_at     text not null,
  from_schema name not null,
  to_kind     text not null,
  to_at       text not null,
  to_schema   name not null,
  started_at  timestamptz not null default now()
);
grant select on weir.moves to weir_tenant_registry;

-- Archives that are being taken in, and how far: the parts come in order.
create table weir.imports (
  tenant_id  text primary key,
  last_part  int not null default 0,
  -- over the checksums of the parts so far
  sha256     text not null default '',
  started_at timestamptz not null default now()
);

-- Who lives where, and how a session becomes a tenant's. Run by the migrator, which owns everything here.

-- Databases that tenants may live in. How to reach one is configuration (WEIR_CLUSTERS), since credentials do not belong in a table.
create table weir.clusters (
  name       text primary key,
  created_at timestamptz not null default now()
);
insert into weir.clusters (name) values ('home');
grant select on weir.clusters to weir_service;

-- Schemas with a tenant's tables: one tenant's own, or the pooled one. In the database that they are in.
create table weir.homes (
  schema_name name primary key,
  role_name   name not null,
  -- ids of the tenant migrations that have been applied, oldest first
  applied     text[] not null,
  created_at  timestamptz not null default now()
);
grant select on weir.homes to weir_service;

-- The home database has a row of every tenant and decides; a cluster has the rows of those that live or lived in it.
create table weir.placements (
  tenant_id    text primary key,
  kind         text not null check (kind in ('schema', 'pooled', 'database')),
  -- where it lives instead; null: here
  elsewhere    text references weir.clusters (name),
  -- moving: read only, its data are being copied; arriving: copied and not yet switched to
  state        text not null default 'open' check (state in ('open', 'moving', 'arriving')),
  -- counts its moves
  epoch        int not null default 1,
  schema_name  name not null,
  created_at   timestamptz not null default now()
);
create index placements_by_home on weir.placements (schema_name);
grant select on weir.placements to weir_service;

-- Makes the rest of the transaction the tenant's: role, search_path, tenant. Each is local to the transaction, so a pooled connection
-- goes back as it came, through PgBouncer too. SECURITY INVOKER: it can give nothing that the login may not take.
--   p_needs   tenant migrations that the caller's code was written for
-- The shared lock is what a move waits for before it takes a tenant's last state (weir.hold); who comes meanwhile waits a moment and
-- then sees where the tenant is. While it is copied the transaction is read only: reads go on, a write fails with 25006.
create function weir.enter(p_tenant text, p_needs text[] default '{}') returns void
language plpgsql as $$
declare place record;
begin
  -- within the tenant's own transaction already, where its role may not read the placements
  if current_setting('weir.tenant_id', true) = p_tenant and current_user <> session_user then return; end if;
  perform pg_advisory_xact_lock_shared(hashtextextended(p_tenant, 20));
  select p.elsewhere, p.state, h.schema_name, h.role_name, h.applied into place
  from weir.placements p left join weir.homes h using (schema_name) where p.tenant_id = p_tenant;
  if not found then
    raise exception 'unknown tenant' using errcode = 'WR404';
  end if;
  if place.elsewhere is not null or place.state = 'arriving' then
    raise exception 'the tenant lives in another database' using errcode = 'WR307', detail = coalesce(place.elsewhere, '');
  end if;
  if not place.applied @> p_needs then
    raise exception 'the tenant''s schema is older than this code' using errcode = 'WR426';
  end if;
  if place.state = 'moving' then perform set_config('transaction_read_only', 'on', true); end if;
  perform set_config('weir.tenant_id', p_tenant, true),
          set_config('search_path', quote_ident(place.schema_name), true),
          set_config('role', place.role_name, true);
end $$;

-- For a move: waits until no transaction is in the tenant, and lets none in until this one has ended.
create function weir.hold(p_tenant text) returns void
language sql as $$ select pg_advisory_xact_lock(hashtextextended(p_tenant, 20)) $$;

-- Back to the login's own rights within the same transaction, for its control schema.
create function weir.leave(p_schema text) returns void
language sql as $$
  select set_config('role', 'none', true),
         set_config('search_path', quote_ident(p_schema), true),
         set_config('weir.tenant_id', '', true);
$$;

create function weir.tenant() returns text
language sql stable as $$ select nullif(current_setting('weir.tenant_id', true), '') $$;

-- For tenant migrations: everyone at the tenant's desk reads the table, its owning service alone writes it. Row security is forced,
-- so that the same table serves a schema of one tenant and the pooled schema of many. The author is session_user, which SET ROLE
-- does not change.
create function weir.owned_by(p_table text, p_service text) returns void
language plpgsql as $$
declare
  grantee text := current_setting('weir.provisioning_role');
  is_tenant text := 'tenant_id = weir.tenant()';
begin
  execute format('alter table %I enable row level security', p_table);
  execute format('alter table %I force row level security', p_table);
  execute format('create policy read_own on %I for select using (%s)', p_table, is_tenant);
  execute format('create policy write_own on %1$I for all using (%2$s and session_user = %3$L) with check (%2$s and session_user = %3$L)',
                 p_table, is_tenant, p_service);
  execute format('grant select, insert, update, delete on %I to %I', p_table, grantee);
end $$;

-- Tables of control schemas whose rows belong to a tenant and go with it to another database.
create table weir.travelling_tables (
  schema_name name not null,
  table_name  name not null,
  -- whether they go when the tenant is purged, or stay as accounts
  purged      boolean not null,
  primary key (schema_name, table_name)
);

-- For control migrations: the rows of this table, which has a tenant_id, go with their tenant.
create function weir.travels(p_table text, p_purged boolean default true) returns void
language sql as $$ insert into weir.travelling_tables values (current_schema(), p_table, p_purged) on conflict do nothing $$;

-- Indexes that one home has and the release does not: declared, so that they are no drift, and made again where the tenant moves to.
create table weir.declared_indexes (
  schema_name name not null,
  index_name  name not null,
  definition  text not null,
  reason      text not null,
  created_at  timestamptz not null default now(),
  primary key (schema_name, index_name)
);
grant select on weir.declared_indexes to weir_tenant_registry;

-- In the pooled schema many tenants share the tables, so that one who moves in or out comes and goes row by row: the migrator, whom row
-- security binds like everyone, may add and remove rows of the tenant that its transaction names. It may change none, and no service's
-- role is given anything.
create function weir.open_to_moves() returns void
language plpgsql as $$
declare
  tab text;
  seal name;
begin
  for tab in
    select c.relname from pg_class c
    where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and not exists (select 1 from pg_policy p where p.polrelid = c.oid and p.polname = 'move_out')
  loop
    execute format('create policy move_in on %I for insert to weir_migrator with check (tenant_id = weir.tenant())', tab);
    execute format('create policy move_out on %I for delete to weir_migrator using (tenant_id = weir.tenant())', tab);
    for seal in
      select t.tgname from pg_trigger t join pg_proc f on f.oid = t.tgfoid
      where t.tgrelid = format('%I', tab)::regclass and f.proname = 'refuse_change' and t.tgtype & 1 = 1
    loop
      execute format('drop trigger %I on %I', seal, tab);
      execute format('create trigger %I before update on %I for each row execute function refuse_change()', seal, tab);
      execute format('create trigger %I before delete on %I for each row when (current_user <> ''weir_migrator'') execute function refuse_change()', seal || '_delete', tab);
    end loop;
  end loop;
end $$;

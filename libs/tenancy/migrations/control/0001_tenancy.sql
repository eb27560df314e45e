-- Who lives where, and how a session becomes a tenant's. Run by the migrator, which owns everything here.

create table weir.placements (
  tenant_id    text primary key,
  kind         text not null check (kind in ('schema', 'pooled', 'database')),
  schema_name  name not null,
  role_name    name not null,
  -- ids of the tenant migrations that have been applied, oldest first
  applied      text[] not null default '{}',
  created_at   timestamptz not null default now()
);
grant select on weir.placements to weir_service;

-- Makes the rest of the transaction the tenant's: role, search_path, tenant. Each is local to the transaction, so a pooled connection
-- goes back as it came, through PgBouncer too. SECURITY INVOKER: it can give nothing that the login may not take.
create function weir.enter(p_tenant text) returns void
language plpgsql as $$
declare place weir.placements;
begin
  -- within the tenant's own transaction already, where its role may not read the placements
  if current_setting('weir.tenant_id', true) = p_tenant and current_user <> session_user then return; end if;
  select * into place from weir.placements where tenant_id = p_tenant;
  if not found then
    raise exception 'unknown tenant' using errcode = 'WR404';
  end if;
  perform set_config('weir.tenant_id', p_tenant, true),
          set_config('search_path', quote_ident(place.schema_name), true),
          set_config('role', place.role_name, true);
end $$;

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

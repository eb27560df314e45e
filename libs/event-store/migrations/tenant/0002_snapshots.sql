-- States of streams as a service's reducers computed them: a cache, never the truth, and nothing is lost with it. A service sees its
-- own alone, so that no other can put a state before it.
create table log_snapshots (
  tenant_id text not null,
  stream    text collate "C" not null,
  owner     text not null,
  reducer   text not null,
  version   int not null,
  -- of the event that it was taken at: one of another past, say from before a restore, is not used
  event_id  uuid not null,
  state     text not null,
  taken_at  timestamptz not null default now(),
  primary key (tenant_id, stream, owner, reducer)
);

do $$
declare own text := 'tenant_id = weir.tenant() and owner = session_user';
begin
  alter table log_snapshots enable row level security;
  alter table log_snapshots force row level security;
  execute format('create policy keep_own on log_snapshots for all using (%1$s) with check (%1$s)', own);
  execute format('grant select, insert, update, delete on log_snapshots to %I', current_setting('weir.provisioning_role'));
end $$;

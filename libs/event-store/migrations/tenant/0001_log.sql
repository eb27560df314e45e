-- A tenant's log. Append-only twice over: no grant to update or delete, and a trigger for whoever has one.
create table events (
  tenant_id      text not null,
  position       bigint not null,
  event_id       uuid not null,
  stream         text collate "C" not null,
  version        int not null,
  type           text not null,
  schema_version int not null,
  -- canonical JSON (RFC 8785); text, so that the bytes that were hashed are the bytes that are kept
  data           text not null,
  occurred_at    timestamptz not null,
  recorded_at    timestamptz not null,
  author         text not null,
  actor_type     text not null,
  actor_id       text not null,
  action         text not null,
  reason         text,
  request_id     text,
  causation_id   text,
  correlation_id text,
  command_id     text collate "C" not null,
  content_hash   bytea not null,
  chain_hash     bytea not null,
  primary key (tenant_id, position),
  -- the stream first: what differs is compared first
  unique (stream, tenant_id, version)
);
-- By this a retried command finds its first result.
create index events_command on events (command_id, tenant_id);

-- The end of the log. `epoch` and `frozen` are for moving a tenant.
create table log_heads (
  tenant_id  text primary key,
  position   bigint not null default 0,
  chain_hash bytea not null,
  state_seq  bigint not null default 0,
  epoch      int not null default 1,
  frozen     boolean not null default false
) with (fillfactor = 50);

-- What each state topic says of this tenant's things: the source from which a wiped topic is emitted again. `owner` is the service
-- that says it; no other can.
create table published_states (
  tenant_id text not null,
  topic     text not null,
  key       text not null,
  version   bigint not null,
  body      text,
  seq       bigint not null,
  owner     text not null,
  primary key (tenant_id, topic, key)
);
create index published_states_seq on published_states (tenant_id, seq);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the log is append-only' using errcode = 'WR403';
end $$;
create trigger append_only before update or delete on events for each row execute function refuse_change();
create trigger append_only_truncate before truncate on events execute function refuse_change();

do $$
declare
  grantee text := current_setting('weir.provisioning_role');
  tab text;
begin
  foreach tab in array array['events', 'log_heads', 'published_states'] loop
    execute format('alter table %I enable row level security', tab);
    execute format('alter table %I force row level security', tab);
    execute format('create policy read_own on %I for select using (tenant_id = weir.tenant())', tab);
  end loop;
  -- an event's author is the session's login; nobody writes in another's name
  create policy append_own on events for insert with check (tenant_id = weir.tenant() and author = session_user);
  create policy change_own on log_heads for update using (tenant_id = weir.tenant());
  create policy open_own on log_heads for insert with check (tenant_id = weir.tenant());
  create policy say_own on published_states for insert with check (tenant_id = weir.tenant() and owner = session_user);
  create policy resay_own on published_states for update using (tenant_id = weir.tenant() and owner = session_user);
  execute format('grant select, insert on events to %I', grantee);
  execute format('grant select, insert, update on published_states to %I', grantee);
  execute format('grant select, update on log_heads to %I', grantee);
end $$;

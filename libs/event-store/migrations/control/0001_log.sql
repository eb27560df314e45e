-- Tenants whose log has something that the relay has not published. `mark` changes with every append, so that a relay only clears
-- what it has seen. Appends of one tenant meet here behind their head row, so this lock adds no waiting.
create sequence weir.news_mark;
create table weir.news (
  tenant_id text primary key,
  mark      bigint not null
) with (fillfactor = 50);

-- How far each log has been published; the epoch fences off a relay whose lease has passed to another.
create table weir.relay_checkpoints (
  tenant_id   text primary key,
  position    bigint not null default 0,
  state_seq   bigint not null default 0,
  epoch       bigint not null default 0,
  holder      text not null default '',
  lease_until timestamptz not null default '-infinity'
) with (fillfactor = 70);

-- SECURITY DEFINER, because a tenant's role may not write the table: it can mark nobody but the tenant of its own transaction.
create function weir.mark_news() returns void
language sql security definer set search_path = weir, pg_temp as $$
  insert into weir.news (tenant_id, mark) values (weir.tenant(), nextval('weir.news_mark'))
  on conflict (tenant_id) do update set mark = excluded.mark;
$$;

grant select, delete, update on weir.news to weir_tenant_registry;
grant select, insert, update on weir.relay_checkpoints to weir_tenant_registry;

-- Unambiguous bytes of a text: its length in bytes, a colon, the text, a comma; a dash for NULL.
create function weir.netstring(value text) returns text
language sql immutable parallel safe as $$
  select case when value is null then '-,' else octet_length(convert_to(value, 'UTF8')) || ':' || value || ',' end
$$;

create function weir.rfc3339(value timestamptz) returns text
language sql stable parallel safe as $$ select to_char(value at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;

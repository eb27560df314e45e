-- Tenants whose log has something that is not published. `mark` changes with every append, so that a relay clears only what it has
-- seen; 0 is a re-emission, which waits behind news. Appends of one tenant meet here behind their head row, so this lock adds no waiting.
create sequence weir.news_mark;
create table weir.news (
  tenant_id text primary key,
  mark      bigint not null,
  -- the log's end, for the lag
  position  bigint,
  since     timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

-- How far each log has been published, and who is publishing it. Each lease has an epoch of its own: a relay whose lease has passed to
-- another, or was taken from it, can write nothing here.
create table weir.relay_checkpoints (
  tenant_id         text primary key,
  position          bigint not null default 0,
  state_seq         bigint not null default 0,
  -- nothing committed before was unpublished then
  caught_up_at      timestamptz,
  epoch             bigint not null default 0,
  holder            text not null default '',
  -- also in the future when nobody holds it: the tenant is tried again then
  lease_until       timestamptz not null default '-infinity',
  -- what a re-emission publishes once more, up to where: these topics; null: all
  again_topics      text[],
  again_position    bigint not null default 0,
  again_state_seq   bigint not null default 0
) with (fillfactor = 50);

-- SECURITY DEFINER, because a tenant's role may not write the table: it can mark nobody but the tenant of its own transaction.
-- No NOTIFY: it takes one lock of the whole server until the commit is on disk, so that no two appends could share a flush (measured in
-- docs/performance.md). The relay looks 40 times a second instead.
create function weir.mark_news(p_position bigint default null) returns void
language sql security definer set search_path = weir, pg_temp as $$
  insert into weir.news as n (tenant_id, mark, position) values (weir.tenant(), nextval('weir.news_mark'), p_position)
  on conflict (tenant_id) do update set mark = excluded.mark, position = greatest(n.position, excluded.position);
$$;

-- What a log has after a position, and its state topics after a sequence number, in one statement and the tenant's own transaction.
-- Events have an id. A schema that is locked is given up soon: it must not hold up the relay's few connections.
create function weir.unpublished(p_tenant text, p_position bigint, p_state_seq bigint, p_limit int)
returns table (seq bigint, event_id uuid, name text, key text, version bigint, body text, schema_version int, occurred_at text, actor text,
               causation_id text, correlation_id text, chain_hash text)
language plpgsql as $$
begin
  perform weir.enter(p_tenant);
  perform set_config('lock_timeout', '2s', true);
  return query
    select e.position, e.event_id, e.type, e.stream::text, e.version::bigint, e.data, e.schema_version, weir.rfc3339(e.occurred_at),
           e.actor_type || ':' || e.actor_id, e.causation_id, e.correlation_id, encode(e.chain_hash, 'hex')
    from events e where e.tenant_id = p_tenant and e.position > p_position order by e.position limit p_limit;
  return query
    select s.seq, null::uuid, s.topic, s.key, s.version, s.body, null::int, null, null, null, null, null
    from published_states s where s.tenant_id = p_tenant and s.seq > p_state_seq order by s.seq limit p_limit;
end $$;

grant select, insert, update, delete on weir.news to weir_tenant_registry;
grant usage on sequence weir.news_mark to weir_tenant_registry;
grant select, insert, update on weir.relay_checkpoints to weir_tenant_registry;

-- Where a tenant moves to, its log is published on from where it was, by nobody before the lease has lapsed.
select weir.travels('relay_checkpoints'), weir.travels('news');

-- A tenant that moves to another database is published from there, from where it was.
select weir.travels('relay_checkpoints'), weir.travels('news');

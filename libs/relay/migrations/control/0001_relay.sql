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
-- docs/performance.md). The relay looks 100 times a second instead.
create function weir.mark_news(p_position bigint default null) returns void
-- parsed when it is made: a function with a search_path of its own is planned anew in each transaction (31 of 45 µs)
language sql security definer begin atomic
  insert into weir.news as n (tenant_id, mark, position) values (weir.tenant(), nextval('weir.news_mark'), p_position)
  on conflict (tenant_id) do update set mark = excluded.mark, position = greatest(n.position, excluded.position);
end;

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

-- Leases tenants with news that nobody holds: fresh news before re-emissions, and whose turn was longest ago first. It reads the table
-- of news and the checkpoints of those in it alone: with no news it costs the same for ten tenants and ten thousand.
-- A function, as the next one is, for its plan is kept so: planned at each call the two cost several times what they do.
create function weir.lease_news(p_holder text, p_lease_ms int, p_most int)
returns table (tenant_id text, mark bigint, epoch bigint, "position" bigint, state_seq bigint, again_topics text[], again_position bigint,
               again_state_seq bigint, db_now float8)
language plpgsql as $$
#variable_conflict use_column
begin
  return query
    with fresh as (
      select n.tenant_id, n.mark from weir.news n
      -- with its limit it is looked up by key for each row of news, whatever the planner believes of an empty table
      left join lateral (select * from weir.relay_checkpoints where tenant_id = n.tenant_id limit 1) c on true
      where c.tenant_id is null or c.lease_until < now()
      order by n.mark = 0, c.lease_until nulls first limit p_most)
    insert into weir.relay_checkpoints as c (tenant_id, holder, lease_until, epoch)
    select tenant_id, p_holder, now() + p_lease_ms * interval '1 ms', 1 from fresh order by tenant_id
    on conflict (tenant_id) do update set epoch = c.epoch + 1, holder = excluded.holder, lease_until = excluded.lease_until
      -- another relay may have taken it since this statement began
      where c.lease_until < now()
    returning c.tenant_id, (select mark from fresh f where f.tenant_id = c.tenant_id), c.epoch, c.position, c.state_seq,
      c.again_topics, c.again_position, c.again_state_seq, extract(epoch from now())::float8 * 1000;
end $$;

-- Moves checkpoints of leases that are the current ones, and says whose. News goes only when its mark is the one that was seen: an append
-- since has another, and one in progress holds the row.
--   p_drained_at   ms: when by this server's clock there was nothing more; null: there was
--   p_ended        the lease is given back
create function weir.save_checkpoints(p_tenants text[], p_epochs bigint[], p_positions bigint[], p_state_seqs bigint[], p_drained_at float8[],
                                      p_ended boolean[], p_marks bigint[])
returns setof text
-- a table of checkpoints that was small when the plan was made is not read from end to end once it has grown
language plpgsql set enable_seqscan = off as $$
begin
  return query
    with saves as (
      select * from unnest(p_tenants, p_epochs, p_positions, p_state_seqs, p_drained_at, p_ended, p_marks)
        as s(tenant_id, epoch, position, state_seq, drained_at, ended, mark)
    ), mine as (
      select c.tenant_id from weir.relay_checkpoints c join saves s using (tenant_id, epoch) order by c.tenant_id for update of c
    ), saved as (
      update weir.relay_checkpoints c
      set position = s.position, state_seq = s.state_seq, caught_up_at = coalesce(to_timestamp(s.drained_at / 1000), c.caught_up_at),
          lease_until = case when s.ended then now() else c.lease_until end
      from saves s where c.tenant_id = s.tenant_id and c.tenant_id in (select tenant_id from mine)
      returning c.tenant_id
    ), old as (
      select n.tenant_id from weir.news n join saves s using (tenant_id, mark)
      where s.drained_at is not null and n.tenant_id in (select tenant_id from saved) for update of n skip locked
    ), cleared as (
      delete from weir.news where tenant_id in (select tenant_id from old)
    )
    select tenant_id from saved;
end $$;

grant select, insert, update, delete on weir.news to weir_tenant_registry;
grant usage on sequence weir.news_mark to weir_tenant_registry;
grant select, insert, update on weir.relay_checkpoints to weir_tenant_registry;

-- A tenant that moves to another database is published from there, from where it was.
select weir.travels('relay_checkpoints'), weir.travels('news');

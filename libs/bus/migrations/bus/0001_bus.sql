-- The bus on Postgres: topics of partitions of records, offsets given under the partition's lock, so that offset order is commit
-- order and a reader never meets a gap that fills up later.
create table topics (
  name         text primary key,
  partitions   int not null,
  cleanup      text not null check (cleanup in ('delete', 'compact')),
  retention_ms bigint not null
);

create table partitions (
  topic       text not null references topics (name),
  partition   int not null,
  next_offset bigint not null default 0,
  primary key (topic, partition)
) with (fillfactor = 50);

create table records (
  topic     text not null,
  partition int not null,
  "offset"  bigint not null,
  key       text not null,
  value     bytea,
  headers   jsonb not null,
  at        timestamptz not null default clock_timestamp(),
  primary key (topic, partition, "offset")
);
create index records_by_key on records (topic, partition, key);
create index records_by_age on records (topic, at);
create index records_tombstones on records (at) where value is null;

-- A process that reads for groups. It lives while it says so; one with a direct connection also holds an advisory lock on its id
-- there, so that its death is seen at once and its partitions are free.
create table sessions (
  id      bigint primary key,
  locked  boolean not null,
  seen_at timestamptz not null default now()
);

create table group_members (
  grp     text not null,
  topic   text not null,
  member  text not null,
  session bigint not null references sessions (id) on delete cascade,
  primary key (grp, topic, member)
);
create index group_members_by_session on group_members (session);

-- Who reads a partition for a group and up to where. A partition whose member is gone is free; the epoch refuses the commit of one
-- that was taken for dead.
create table group_offsets (
  grp       text not null,
  topic     text not null,
  partition int not null,
  "offset"  bigint not null default 0,
  member    text,
  epoch     bigint not null default 0,
  primary key (grp, topic, partition)
) with (fillfactor = 70);

create function session_holds_lock(p_session bigint) returns boolean
language sql stable set search_path = weir_bus, pg_catalog, pg_temp as $$
  select exists (
    select 1 from pg_locks
    where locktype = 'advisory' and objsubid = 1 and classid::bigint << 32 | objid::bigint = p_session
      and database = (select oid from pg_database where datname = current_database()))
$$;

-- One statement for a batch of records, given in order. Partitions are locked in sorted order, so that two publishers never wait
-- for each other in a ring. A record of a compacted topic replaces the one before it under its key. Listeners are told each
-- partition's new end.
create function publish(p_topics text[], p_keys text[], p_values bytea[], p_headers jsonb[]) returns void
language plpgsql set search_path = weir_bus, pg_temp as $$
declare
  missing text;
  told int;
begin
  select t into missing from unnest(p_topics) t where not exists (select 1 from topics where name = t) limit 1;
  if missing is not null then raise exception 'unknown topic %', missing using errcode = 'WRB04'; end if;

  perform 1 from partitions p
  where (p.topic, p.partition) in (
    select t.name, (hashtextextended(u.key, 11) & 2147483647) % t.partitions
    from unnest(p_topics, p_keys) u(topic, key) join topics t on t.name = u.topic)
  order by p.topic, p.partition for update;

  with incoming as (
    select u.topic, ((hashtextextended(u.key, 11) & 2147483647) % t.partitions)::int as partition, u.key, u.value, u.headers, u.n, t.cleanup
    from unnest(p_topics, p_keys, p_values, p_headers) with ordinality u(topic, key, value, headers, n)
    join topics t on t.name = u.topic
  ), numbered as (
    select i.*, p.next_offset + row_number() over (partition by i.topic, i.partition order by i.n) - 1 as "offset"
    from incoming i join partitions p using (topic, partition)
  ), compacted as (
    delete from records r using numbered i
    where i.cleanup = 'compact' and r.topic = i.topic and r.partition = i.partition and r.key = i.key
  ), advanced as (
    update partitions p set next_offset = p.next_offset + c.n
    from (select topic, partition, count(*) as n from incoming group by topic, partition) c
    where p.topic = c.topic and p.partition = c.partition
    returning p.topic, p.partition, p.next_offset
  ), inserted as (
    insert into records (topic, partition, "offset", key, value, headers)
    select topic, partition, "offset", key, value, headers from numbered
  )
  select count(pg_notify('weir_bus_ends', format('%s/%s/%s', topic, partition, next_offset))) into told from advanced;
end $$;

grant select, insert, update on topics, partitions to weir_service;
grant select, insert, update, delete on records to weir_service;
grant select, insert, update, delete on sessions, group_offsets, group_members to weir_service;

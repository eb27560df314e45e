-- The chain over a group of events as a window: each link from the one before, the first from the log's head.
create function weir.link(before bytea, content bytea, head bytea) returns bytea
language sql immutable parallel safe as $$ select sha256(coalesce(before, head) || content) $$;
create aggregate weir.chain(content bytea, head bytea) (sfunc = weir.link, stype = bytea);

-- Appends to streams of one tenant in one statement: commands repeated? expected versions? positions, hashes, states, news.
--   p_appends    [{stream, expected, command, occurredAt, actorType, actorId, action, reason, requestId, causationId, correlationId,
--                 events: [{id, type, schemaVersion, data}], states: [{topic, key, body}]}], no command twice
--   expected     n ≥ 1 that version, 0 none yet, -1 exists, -2 any
--   data         canonical JSON, as a text: its bytes are hashed and kept
--   body         a text, or null (gone): what a state topic shall say after these events
-- Answers for each in its place {outcome: appended | repeated | conflict, version, first, last}. They are judged in their order, as if
-- each had come alone; one that conflicts or is repeated writes nothing and hinders no other.
--
-- Locks: the streams in their order, so that two groups never wait for each other; the head row last, and only if something is to be
-- written. It orders the tenant's commits, so that positions have no gaps and readers skip nothing. The advisory lock before it turns
-- the convoy of many writers on one row into a queue: 2.3× at 64 writers on one tenant, nothing measurable over 200.
create function weir.append(p_tenant text, p_appends jsonb) returns jsonb
language plpgsql as $$
declare
  streams   text[] := array(select distinct a ->> 'stream' collate "C" from jsonb_array_elements(p_appends) a order by 1);
  versions  int[];
  repeated  jsonb;
  results   jsonb := '[]';
  states    jsonb := '[]';
  item      jsonb;
  place     int := 0;
  slot      int;
  actual    int;
  expected  int;
  many      int;
  head      record;
  last      bigint;
  recorded  timestamptz;
  -- of the appends that are taken: where in p_appends, the stream's version before, the first position
  places    int[] := '{}';
  befores   int[] := '{}';
  firsts    bigint[] := '{}';
begin
  perform weir.enter(p_tenant);

  insert into log_streams (tenant_id, stream, version) select p_tenant, s, 0 from unnest(streams) s on conflict do nothing;
  select array_agg(locked.version) into versions from (
    select version from log_streams where tenant_id = p_tenant and stream = any (streams) order by stream for update) locked;

  -- behind the locks: the first try may have committed while this one waited
  select coalesce(jsonb_object_agg(a.place, jsonb_build_object('outcome', 'repeated', 'version', c.version, 'first', c.first_position, 'last', c.last_position)), '{}')
    into repeated
    from jsonb_array_elements(p_appends) with ordinality as a(item, place)
    -- a limit keeps the planner from hashing the whole table for a handful
    cross join lateral (select * from log_commands where tenant_id = p_tenant and stream = a.item ->> 'stream' and command_id = a.item ->> 'command' limit 1) c;

  for item in select * from jsonb_array_elements(p_appends) loop
    place := place + 1;
    if repeated ? place::text then
      results := results || (repeated -> place::text);
      continue;
    end if;
    slot := array_position(streams, item ->> 'stream');
    actual := versions[slot];
    expected := item -> 'expected';
    if (expected >= 0 and actual <> expected) or (expected = -1 and actual = 0) then
      results := results || jsonb_build_object('outcome', 'conflict', 'version', actual);
      continue;
    end if;
    if last is null then
      perform pg_advisory_xact_lock(hashtextextended(p_tenant, 7));
      select position, chain_hash, frozen into head from log_heads where tenant_id = p_tenant for update;
      if not found then raise exception 'the tenant has no log' using errcode = 'WR500'; end if;
      if head.frozen then raise exception 'the log is frozen: the tenant is being moved' using errcode = '55P03'; end if;
      last := head.position;
    end if;
    many := jsonb_array_length(item -> 'events');
    places := places || place;
    befores := befores || actual;
    firsts := firsts || last + 1;
    last := last + many;
    versions[slot] := actual + many;
    results := results || jsonb_build_object('outcome', 'appended', 'version', actual + many, 'first', last - many + 1, 'last', last);
    if item -> 'states' <> '[]' then
      states := states || (select jsonb_agg(s || jsonb_build_object('version', actual + many)) from jsonb_array_elements(item -> 'states') s);
    end if;
  end loop;
  if last is null then return results; end if;

  recorded := clock_timestamp();
  with taken as (
    select i.before, i.first, a.*
    from unnest(places, befores, firsts) as i(place, before, first)
    cross join lateral jsonb_to_record(p_appends -> (i.place - 1)) as a(
      stream text, command text, "occurredAt" timestamptz, "actorType" text, "actorId" text, action text, reason text,
      "requestId" text, "causationId" text, "correlationId" text, events jsonb)
  ), facts as (
    select t.*, t.first + f.n - 1 as position, (t.before + f.n)::int as version, e.*
    from taken t
    cross join lateral jsonb_array_elements(t.events) with ordinality as f(fact, n)
    cross join lateral jsonb_to_record(f.fact) as e(id uuid, type text, "schemaVersion" int, data text)
  ), hashed as (
    select *, sha256(convert_to(
      weir.netstring('weir-event-1') || weir.netstring(p_tenant) || weir.netstring(position::text) || weir.netstring(id::text)
      || weir.netstring(stream) || weir.netstring(version::text) || weir.netstring(type)
      || weir.netstring("schemaVersion"::text) || weir.netstring(weir.rfc3339("occurredAt")) || weir.netstring(weir.rfc3339(recorded))
      || weir.netstring(session_user::text) || weir.netstring("actorType") || weir.netstring("actorId") || weir.netstring(action)
      || weir.netstring(reason) || weir.netstring("requestId") || weir.netstring("causationId") || weir.netstring("correlationId")
      || weir.netstring(command) || weir.netstring(data), 'UTF8')) as content
    from facts
  ), chained as (
    select *, weir.chain(content, head.chain_hash) over (order by position) as link from hashed
  ), stored as (
    insert into events (tenant_id, position, event_id, stream, version, type, schema_version, data, occurred_at, recorded_at, author,
                        actor_type, actor_id, action, reason, request_id, causation_id, correlation_id, command_id, content_hash, chain_hash)
    select p_tenant, position, id, stream, version, type, "schemaVersion", data, "occurredAt", recorded, session_user,
           "actorType", "actorId", action, reason, "requestId", "causationId", "correlationId", command, content, link
    from chained
  ), remembered as (
    insert into log_commands (tenant_id, stream, command_id, version, first_position, last_position)
    select p_tenant, stream, command, before + jsonb_array_length(events), first, first + jsonb_array_length(events) - 1 from taken
  ), versioned as (
    update log_streams s set version = v.version from unnest(streams, versions) as v(stream, version)
    where s.tenant_id = p_tenant and s.stream = v.stream and s.version <> v.version
  )
  update log_heads set position = last, chain_hash = (select link from chained order by position desc limit 1) where tenant_id = p_tenant;

  if states = '[]' then perform weir.mark_news(last); else perform weir.publish_states(states, last); end if;
  return results;
end $$;

-- Says what state topics shall say, inside the caller's transaction (which is a tenant's already).
--   p_states   [{topic, key, body, version}]: without a version the state's own sequence counts, for states that follow no stream
--   p_position  of the log, where it has moved too
create function weir.publish_states(p_states jsonb, p_position bigint default null) returns void
language plpgsql as $$
declare
  seq bigint;
begin
  if p_states = '[]' then return; end if;
  update log_heads set state_seq = state_seq + jsonb_array_length(p_states) where tenant_id = weir.tenant() returning state_seq - jsonb_array_length(p_states) into seq;
  insert into published_states (tenant_id, topic, key, version, body, seq, owner)
  select weir.tenant(), topic, key, coalesce(version, seq + n), body, seq + n, session_user from (
    -- said twice of one thing: the last word
    select distinct on (topic, key) s ->> 'topic' as topic, s ->> 'key' as key, (s -> 'version')::bigint as version, s ->> 'body' as body, n
    from jsonb_array_elements(p_states) with ordinality as t(s, n)
    order by 1, 2, 3 desc, n desc) said
  on conflict (tenant_id, topic, key) do update
    set version = excluded.version, body = excluded.body, seq = excluded.seq
    where published_states.version < excluded.version;
  perform weir.mark_news(p_position);
end $$;

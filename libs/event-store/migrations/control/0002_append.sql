-- What each link of the chain says of its append: when the log took it up, and the login that wrote it.
create function weir.link_signature(p_recorded timestamptz) returns bytea
language sql stable as $$ select convert_to('27:' || weir.rfc3339(p_recorded) || ',' || octet_length(session_user) || ':' || session_user || ',', 'UTF8') $$;

-- Appends to streams of one tenant, in one statement: commands repeated? expected versions? positions, links, states, news. They are
-- judged in their order, as if each had come alone; one that conflicts or is repeated writes nothing and hinders no other.
--   p_streams   the streams, each once
--   p_floors    of each stream, the least version that any append to it expects, 1 at least: who expects a version needs none below it
--   p_places, p_expected, p_counts   of each append its stream in p_streams, the version that it expects (n ≥ 1 that one, 0 none yet, -1
--               some, -2 any), how many events it has; the events stand in the order of the appends
--   p_commands  the command of each append; no command of a stream twice
--   p_occurred  of each event
--   p_events    thirteen texts an event: event_id, stream, type, schema_version, data (canonical JSON), actor_type, actor_id, action,
--               reason, request_id, causation_id, correlation_id, command_id
--   p_contents  the content hash of each event
--   p_states    [{event, topic, key, body}], body a text or null (gone): what state topics shall say after that event
-- Answers the log's position before, and then of each append that did not end as its caller can tell by himself, which is at the next
-- positions and at the version that it expected:
--   ;<append> appended <version> | ;<append> repeated <version> <first> <last> | ;<append> conflict <version>
--
-- The advisory lock orders the tenant's commits, so that positions have no gaps and readers skip nothing; with one lock there is no order
-- of locks to keep, and writers queue for it, where for a row they would wake each other in vain: 2.3× at 64 writers on one tenant.
-- Streams have no row of their own; their versions stand in the log.
--
-- Arrays of texts, since the server reads their binary form at next to no cost, and indexes into them cheaply; few statements and few
-- expressions, since what an append pays is the setting up of each, once a transaction: see docs/performance.md.
create function weir.append(p_tenant text, p_streams text[], p_floors int[], p_places int[], p_expected int[], p_counts int[], p_commands text[],
                            p_occurred timestamptz[], p_events text[], p_contents bytea[], p_states jsonb default null)
returns text
-- a log that was small when a plan was made is not read from end to end once it has grown; and no plan is made again for each call
language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  pos       bigint;
  chain     bytea;
  -- of each stream; 0: none from its floor on
  latest    int[];
  -- whether any of the commands is in the log
  known     boolean;
  recorded  timestamptz;
  signature bytea;
  -- of each event that goes in
  positions bigint[];
  versions  int[];
  links     bytea[];
  answer    text;
  begun     bigint;
  place     int;
  version   int;
  -- the event that is next to come, and the last one of the append
  e         int := 0;
  ended     int := 0;
  earlier   record;
begin
  perform weir.enter(p_tenant);
  perform pg_advisory_xact_lock(hashtextextended(p_tenant, 7));
  -- one row of each stream, since an index is read page by page whatever the limit says, unless its condition ends the reading
  select h.position, h.chain_hash,
         array(select coalesce((select e.version from events e where e.tenant_id = p_tenant and e.stream = s and e.version >= floor order by e.version desc limit 1), 0)
               from unnest(p_streams, p_floors) as u(s, floor)),
         exists (select 1 from events e where e.tenant_id = p_tenant and e.command_id = any (p_commands))
    into pos, chain, latest, known
    from log_heads h where h.tenant_id = p_tenant;
  begun := pos;
  answer := pos::text;
  recorded := clock_timestamp();
  signature := weir.link_signature(recorded);

  for a in 1 .. cardinality(p_commands) loop
    ended := ended + p_counts[a];
    place := p_places[a];
    version := latest[place];
    if known then
      -- count(*), since a minimum alone would be looked for from the log's beginning
      select count(*) as events, max(e.version) as version, max(e.position) as last into earlier
      from events e where e.tenant_id = p_tenant and e.command_id = p_commands[a] and e.stream = p_streams[place];
      if earlier.events > 0 then
        answer := answer || ';' || a || ' repeated ' || earlier.version || ' ' || earlier.last - earlier.events + 1 || ' ' || earlier.last;
        e := ended;
        continue;
      end if;
    end if;
    if p_expected[a] <> version then
      if weir.conflicts(p_expected[a], version) then
        -- below the floor, perhaps
        if version = 0 then version := coalesce((select max(e.version) from events e where e.tenant_id = p_tenant and e.stream = p_streams[place]), 0); end if;
        answer := answer || ';' || a || ' conflict ' || version;
        e := ended;
        continue;
      end if;
      answer := answer || ';' || a || ' appended ' || version + p_counts[a];
    end if;
    while e < ended loop
      e := e + 1;
      pos := pos + 1;
      version := version + 1;
      chain := sha256(chain || p_contents[e] || int8send(pos) || int4send(version) || signature);
      positions[e] := pos;
      versions[e] := version;
      links[e] := chain;
    end loop;
    latest[place] := version;
  end loop;
  if pos = begun then return answer; end if;

  with head as (update log_heads set position = pos, chain_hash = chain where tenant_id = p_tenant and not frozen returning true)
  insert into events (tenant_id, position, event_id, stream, version, type, schema_version, data, occurred_at, recorded_at, author,
                      actor_type, actor_id, action, reason, request_id, causation_id, correlation_id, command_id, content_hash, chain_hash)
  select p_tenant, positions[n], p_events[f + 1]::uuid, p_events[f + 2], versions[n], p_events[f + 3], p_events[f + 4]::int, p_events[f + 5],
         p_occurred[n], recorded, session_user, p_events[f + 6], p_events[f + 7], p_events[f + 8], p_events[f + 9], p_events[f + 10],
         p_events[f + 11], p_events[f + 12], p_events[f + 13], p_contents[n], links[n]
  from head, (select n, 13 * (n - 1) as f from (select generate_series(1, ended) as n) each) each where positions[n] is not null;
  if not found then raise exception 'the tenant''s log is not open: it is being moved' using errcode = '55P03'; end if;
  if p_states is null then
    perform weir.mark_news(pos);
  else
    perform weir.publish_states((
      select coalesce(jsonb_agg(s || jsonb_build_object('version', versions[(s ->> 'event')::int])), '[]')
      from jsonb_array_elements(p_states) s where versions[(s ->> 'event')::int] is not null), pos);
  end if;
  return answer;
end $$;

-- Whether an append that expects this much is wrong at this version of its stream.
create function weir.conflicts(p_expected int, p_version int) returns boolean
language sql immutable parallel safe as $$ select p_expected <> p_version and p_expected <> -2 and (p_expected <> -1 or p_version = 0) $$;

-- The same for one append of one event, as nearly all are that come alone: what weir.append has for many costs it a tenth. Answers as
-- weir.append does, and must judge as it does.
create function weir.append_one(p_tenant text, p_expected int, p_occurred timestamptz, p_event text[], p_content bytea, p_states jsonb default null) returns text
language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  pos      bigint;
  chain    bytea;
  latest   int;
  known    boolean;
  recorded timestamptz;
begin
  perform weir.enter(p_tenant);
  perform pg_advisory_xact_lock(hashtextextended(p_tenant, 7));
  select h.position + 1, h.chain_hash,
         coalesce((select e.version from events e where e.tenant_id = p_tenant and e.stream = p_event[2] and e.version >= p_expected order by e.version desc limit 1), 0),
         exists (select 1 from events e where e.tenant_id = p_tenant and e.command_id = p_event[13] and e.stream = p_event[2])
    into pos, chain, latest, known
    from log_heads h where h.tenant_id = p_tenant;
  if known then
    return (select pos - 1 || ';1 repeated ' || max(e.version) || ' ' || max(e.position) - count(*) + 1 || ' ' || max(e.position)
            from events e where e.tenant_id = p_tenant and e.command_id = p_event[13] and e.stream = p_event[2]);
  end if;
  if weir.conflicts(p_expected, latest) then
    return pos - 1 || ';1 conflict ' || (select coalesce(max(e.version), 0) from events e where e.tenant_id = p_tenant and e.stream = p_event[2]);
  end if;

  recorded := clock_timestamp();
  chain := sha256(chain || p_content || int8send(pos) || int4send(latest + 1) || weir.link_signature(recorded));
  with head as (update log_heads set position = pos, chain_hash = chain where tenant_id = p_tenant and not frozen returning true)
  insert into events (tenant_id, position, event_id, stream, version, type, schema_version, data, occurred_at, recorded_at, author,
                      actor_type, actor_id, action, reason, request_id, causation_id, correlation_id, command_id, content_hash, chain_hash)
  select p_tenant, pos, p_event[1]::uuid, p_event[2], latest + 1, p_event[3], p_event[4]::int, p_event[5], p_occurred, recorded,
         session_user, p_event[6], p_event[7], p_event[8], p_event[9], p_event[10], p_event[11], p_event[12], p_event[13], p_content, chain
  from head;
  if not found then raise exception 'the tenant''s log is not open: it is being moved' using errcode = '55P03'; end if;
  if p_states is null then
    perform weir.mark_news(pos);
  else
    perform weir.publish_states((select jsonb_agg(s || jsonb_build_object('version', latest + 1)) from jsonb_array_elements(p_states) s), pos);
  end if;
  return pos - 1 || ';1 appended ' || latest + 1;
end $$;

-- Says what state topics shall say, inside the caller's transaction (which is a tenant's already).
--   p_states   [{topic, key, body, version}]: without a version the state's own sequence counts, for states that follow no stream
--   p_position  of the log, where it has moved too
create function weir.publish_states(p_states jsonb, p_position bigint default null) returns void
language plpgsql as $$
declare
  seq bigint;
begin
  if p_states = '[]' then
    if p_position is not null then perform weir.mark_news(p_position); end if;
    return;
  end if;
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

-- An append to one stream: `events` says how many of the events passed along are its own; the first ones belong to the first append.
--   expected   n ≥ 1 that version, 0 none yet, -1 exists, -2 any
--   states     [{topic, key, body}] with body a text or null (gone): what state topics shall say after these events
create type weir.append_request as (
  stream text, expected int, command_id text, occurred_at timestamptz, actor_type text, actor_id text, action text, reason text,
  request_id text, causation_id text, correlation_id text, states jsonb, events int);
-- data: canonical JSON as a text: its bytes are hashed and kept
create type weir.new_event as (event_id uuid, type text, schema_version int, data text);
create type weir.append_result as (outcome text, version int, first bigint, last bigint);

-- Appends to streams of one tenant, in one statement: commands repeated? expected versions? positions, hashes, states, news. Answers
-- each in its place: appended, repeated or conflict. They are judged in their order, as if each had come alone; one that conflicts or
-- is repeated writes nothing and hinders no other.
--
-- The head row is the one lock: it orders the tenant's commits, so that positions have no gaps and readers skip nothing, and with one
-- lock there is no order of locks to keep. Streams have no row of their own; their versions stand in the log. The advisory lock before
-- it turns the convoy of many writers on one row into a queue: 2.3× at 64 writers on one tenant, nothing measurable over 200.
--
-- Composites and not JSON, loops and not one large statement: what a lone append pays is the setting up of statements and expressions,
-- once a transaction (430 µs with one statement over JSON, 250 with a statement for each table).
create function weir.append(p_tenant text, p_appends weir.append_request[], p_events weir.new_event[]) returns setof weir.append_result
-- a log that was small when a plan was made is not read from end to end once it has grown; and no plan is made again for each call
language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  request  weir.append_request;
  event    weir.new_event;
  result   weir.append_result;
  head     record;
  earlier  record;
  next     int := 0;
  pos      bigint;
  content  bytea;
  chain    bytea;
  recorded timestamptz;
  moment   text;
  states   jsonb := '[]';
begin
  perform weir.enter(p_tenant);
  perform pg_advisory_xact_lock(hashtextextended(p_tenant, 7));
  select position, chain_hash, frozen into head from log_heads where tenant_id = p_tenant for update;
  if not found then raise exception 'the tenant has no log' using errcode = 'WR500'; end if;
  if head.frozen then raise exception 'the log is frozen: the tenant is being moved' using errcode = '55P03'; end if;
  pos := head.position;
  chain := head.chain_hash;
  recorded := clock_timestamp();
  moment := weir.rfc3339(recorded);

  foreach request in array p_appends loop
    -- count(*), since a minimum alone would be looked for from the log's beginning
    select count(*) as events, max(e.version) as version, max(e.position) as last into earlier
    from events e where e.tenant_id = p_tenant and e.command_id = request.command_id and e.stream = request.stream;
    if earlier.events > 0 then
      result := ('repeated', earlier.version, earlier.last - earlier.events + 1, earlier.last);
      next := next + request.events;
      return next result;
      continue;
    end if;

    select e.version into result.version from events e where e.tenant_id = p_tenant and e.stream = request.stream order by e.version desc limit 1;
    result.version := coalesce(result.version, 0);
    if (request.expected >= 0 and result.version <> request.expected) or (request.expected = -1 and result.version = 0) then
      result := ('conflict', result.version, null, null);
      next := next + request.events;
      return next result;
      continue;
    end if;

    result.first := pos + 1;
    for i in 1 .. request.events loop
      next := next + 1;
      event := p_events[next];
      pos := pos + 1;
      result.version := result.version + 1;
      content := sha256(convert_to(weir.netstrings(
        'weir-event-1', p_tenant, pos::text, event.event_id::text, request.stream, result.version::text, event.type,
        event.schema_version::text, weir.rfc3339(request.occurred_at), moment, session_user::text, request.actor_type,
        request.actor_id, request.action, request.reason, request.request_id, request.causation_id, request.correlation_id,
        request.command_id, event.data), 'UTF8'));
      chain := sha256(chain || content);
      insert into events (tenant_id, position, event_id, stream, version, type, schema_version, data, occurred_at, recorded_at, author,
                          actor_type, actor_id, action, reason, request_id, causation_id, correlation_id, command_id, content_hash, chain_hash)
      values (p_tenant, pos, event.event_id, request.stream, result.version, event.type, event.schema_version, event.data,
              request.occurred_at, recorded, session_user, request.actor_type, request.actor_id, request.action, request.reason,
              request.request_id, request.causation_id, request.correlation_id, request.command_id, content, chain);
    end loop;
    result.outcome := 'appended';
    result.last := pos;
    return next result;
    if request.states <> '[]' then
      states := states || (select jsonb_agg(s || jsonb_build_object('version', result.version)) from jsonb_array_elements(request.states) s);
    end if;
  end loop;
  if pos = head.position then return; end if;

  update log_heads set position = pos, chain_hash = chain where tenant_id = p_tenant;
  if states = '[]' then perform weir.mark_news(pos); else perform weir.publish_states(states, pos); end if;
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

-- Months of usage_events. Only the migrator may make and drop tables, so that these run with its rights; metering alone may ask.

-- The least UUIDv7 of a UTC month: an id from then on is not less.
create function month_floor(p_month date) returns uuid
language sql immutable as $$
  select (lpad(to_hex((extract(epoch from p_month::timestamp at time zone 'UTC') * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

create function usage_partition(p_month date) returns name
language sql immutable as $$ select ('usage_events_' || to_char(p_month, 'YYYYMM'))::name $$;

-- One partition, closed to whoever comes past its parent; what the default one has of the month goes into it.
create function add_usage_partition(p_home name, p_month date) returns void
language plpgsql as $$
declare
  part name := weir_metering.usage_partition(p_month);
  low uuid := weir_metering.month_floor(p_month);
  high uuid := weir_metering.month_floor((p_month + interval '1 month')::date);
begin
  execute format('create table %1$I.%2$I (like %1$I.usage_events including all)', p_home, part);
  execute format('alter table %I.usage_events_default no force row level security', p_home);
  execute format('with moved as (delete from %1$I.usage_events_default where event_id >= %3$L and event_id < %4$L returning *) insert into %1$I.%2$I select * from moved', p_home, part, low, high);
  execute format('alter table %I.usage_events_default force row level security', p_home);
  execute format('alter table %1$I.usage_events attach partition %1$I.%2$I for values from (%3$L) to (%4$L)', p_home, part, low, high);
  execute format('alter table %1$I.%2$I enable row level security, force row level security', p_home, part);
end $$;

-- Makes a home's usage_events a partitioned table. What is in it becomes its first partition, up to the month after the last record.
create function partition_usage_events(p_home name) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  rest date;
  newest uuid;
  grantee name;
  before text := current_setting('weir.provisioning_role', true);
begin
  if exists (select 1 from pg_class where oid = format('%I.usage_events', p_home)::regclass and relkind = 'p') then return; end if;
  select role_name into grantee from weir.homes where schema_name = p_home;
  perform set_config('weir.provisioning_role', coalesce(grantee, before), true);
  execute format('alter table %I.usage_events no force row level security', p_home);
  execute format('select event_id from %I.usage_events order by event_id desc limit 1', p_home) into newest;
  rest := (date_trunc('month', greatest(now(), uuid_extract_timestamp(newest)) at time zone 'UTC') + interval '1 month')::date;

  execute format('alter table %I.usage_events rename to usage_events_before', p_home);
  execute format('alter index %I.usage_events_pkey rename to usage_events_before_pkey', p_home);
  execute format('alter index %I.usage_events_request rename to usage_events_before_request', p_home);
  execute format('create table %1$I.usage_events (like %1$I.usage_events_before including defaults) partition by range (event_id)', p_home);
  execute format('alter table %I.usage_events add primary key (tenant_id, event_id)', p_home);
  execute format('create index usage_events_request on %I.usage_events (request_id, attempt)', p_home);
  execute format('drop policy read_own on %1$I.usage_events_before', p_home);
  execute format('drop policy write_own on %1$I.usage_events_before', p_home);
  execute format('revoke all on %I.usage_events_before from %I', p_home, coalesce(grantee, before));
  execute format('alter table %1$I.usage_events attach partition %1$I.usage_events_before for values from (minvalue) to (%2$L)', p_home, weir_metering.month_floor(rest));
  execute format('alter table %I.usage_events_before force row level security', p_home);
  execute format('create table %1$I.usage_events_default partition of %1$I.usage_events default', p_home);
  execute format('alter table %I.usage_events_default enable row level security, force row level security', p_home);
  perform set_config('search_path', quote_ident(p_home), true);
  perform weir.owned_by('usage_events', 'weir_metering');
  perform set_config('weir.provisioning_role', coalesce(before, ''), true);
end $$;

-- The one place that knows when partitions pay: in the pooled schema, which has the records of tenants by the thousand, and in a tenant's own
-- from so many rows on; below that a partition costs more (10 to 20 ms to make, with 5,000 schemas about) than a month's DELETE.
create function usage_homes(p_large bigint) returns table (home name, partitioned boolean)
language sql stable as $$
  select h.schema_name, c.relkind = 'p'
  from weir.homes h join pg_namespace n on n.nspname = h.schema_name join pg_class c on c.relnamespace = n.oid and c.relname = 'usage_events'
  where c.relkind = 'p' or c.reltuples >= p_large order by 1
$$;

-- Keeps a home's months: makes a large table a partitioned one, makes the partitions of this month and the two after it, drops those that
-- end before p_kept_from. Gives up after two seconds of waiting for a lock: it is asked again.
create function keep_usage_events(p_home name, p_kept_from date) returns table (made int, dropped int)
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  part record;
  month date;
begin
  made := 0;
  dropped := 0;
  perform weir_metering.partition_usage_events(p_home);
  for i in 0 .. 2 loop
    month := (date_trunc('month', now() at time zone 'UTC') + make_interval(months => i))::date;
    continue when exists (
      select from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = format('%I.usage_events', p_home)::regclass
        and (c.relname = weir_metering.usage_partition(month)
             or substring(pg_get_expr(c.relpartbound, c.oid) from $x$TO \('([0-9a-f-]+)'\)$x$)::uuid > weir_metering.month_floor(month) and c.relname = 'usage_events_before'));
    perform weir_metering.add_usage_partition(p_home, month);
    made := made + 1;
  end loop;
  for part in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = format('%I.usage_events', p_home)::regclass
      and substring(pg_get_expr(c.relpartbound, c.oid) from $x$TO \('([0-9a-f-]+)'\)$x$)::uuid <= weir_metering.month_floor(p_kept_from)
  loop
    execute format('drop table %I.%I', p_home, part.relname);
    dropped := dropped + 1;
  end loop;
  return next;
end $$;

revoke all on function add_usage_partition(name, date), partition_usage_events(name), keep_usage_events(name, date) from public;
grant execute on function keep_usage_events(name, date) to weir_metering;

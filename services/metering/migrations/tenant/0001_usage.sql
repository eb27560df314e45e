-- Every record of usage as it came, once. An empty text stands for 'none' where a column is one of the sums' dimensions: a primary
-- key holds no null.
create table usage_events (
  tenant_id        text not null,
  event_id         uuid not null,
  -- held, settled, released, served; and unsettled, which metering itself writes of a hold that nobody settled in time
  kind             text not null,
  request_id       text not null,
  attempt          int,
  -- ms since the epoch, and the UTC day of it
  at               bigint not null,
  day              date not null,
  mode             text not null,
  endpoint         text not null,
  project_id       text not null,
  token_id         text not null,
  price_version    text not null,
  purpose          text,
  key_owner        text not null,
  key_id           text not null,
  key_version      int,
  key_mode         text not null,
  cache            text not null,
  upstream_status  int,
  upstream_credits bigint not null,
  charged_credits  bigint not null,
  difference       text not null,
  recorded_at      timestamptz not null default now(),
  primary key (tenant_id, event_id)
);
create index usage_events_request on usage_events (tenant_id, request_id);
select weir.owned_by('usage_events', 'weir_metering');

-- Where each attempt to call the upstream stands, and the event that put it there. Only forward:
-- held, then unsettled, then released, then settled.
create table attempts (
  tenant_id        text not null,
  request_id       text not null,
  attempt          int not null,
  state            text not null,
  event_id         uuid not null,
  key_id           text not null,
  upstream_credits bigint not null,
  charged_credits  bigint not null,
  at               bigint not null,
  primary key (tenant_id, request_id, attempt)
) with (fillfactor = 80);
select weir.owned_by('attempts', 'weir_metering');

-- Sums of what counts: settled attempts, served answers, and the credits of attempts that are unsettled. Equal to a recount.
create table usage_daily (
  tenant_id         text not null,
  day               date not null,
  endpoint          text not null,
  project_id        text not null,
  token_id          text not null,
  key_owner         text not null,
  key_id            text not null,
  key_mode          text not null,
  mode              text not null,
  cache             text not null,
  difference        text not null,
  calls             bigint not null,
  upstream_credits  bigint not null,
  charged_credits   bigint not null,
  unsettled_credits bigint not null,
  primary key (tenant_id, day, endpoint, project_id, token_id, key_owner, key_id, key_mode, mode, cache, difference)
) with (fillfactor = 70);
select weir.owned_by('usage_daily', 'weir_metering');

-- Credits charged to live calls, by day: what quotas are counted in.
create table charged_daily (
  tenant_id text not null,
  day       date not null,
  credits   bigint not null,
  primary key (tenant_id, day)
) with (fillfactor = 70);
select weir.owned_by('charged_daily', 'weir_metering');

-- Who has a seat. A seat given back stays as a row, so that events which arrive twice or late change nothing.
create table seats (
  tenant_id text not null,
  member_id text not null,
  taken     boolean not null,
  primary key (tenant_id, member_id)
);
select weir.owned_by('seats', 'weir_metering');

-- Every record of usage as it came, once, and what metering itself adds to them: what is counted is a row here, and a correction is one
-- more row. An empty text, or 0, stands for 'none' where a column is one of the sums' dimensions: a primary key holds no null.
-- In the pooled schema, and in a tenant's own once it is large, it is partitioned by month: weir_metering.keep_usage_events knows.
create table usage_events (
  tenant_id        text not null,
  -- UUIDv7: its time is that of the record
  event_id         uuid not null,
  -- held, settled, released, served; and of metering's own: unsettled (nobody settled the hold in time), taken and not-taken (what the
  -- upstream's account says of such a hold), reversed (takes back what an unsettled or taken one had counted)
  kind             text not null,
  -- what its credits are added to: used (charged_credits and upstream_credits), unsettled (upstream_credits), nothing
  counts           text not null,
  request_id       text not null,
  attempt          int not null,
  -- ms since the epoch: when it happened
  at               bigint not null,
  -- UTC day and hour in whose sums it is; where the month in which it happened was closed already, `adjusts` names that month
  day              date not null,
  hour             smallint not null,
  adjusts          text not null,
  mode             text not null,
  endpoint         text not null,
  project_id       text not null,
  token_id         text not null,
  price_version    text not null,
  purpose          text not null,
  key_owner        text not null,
  key_id           text not null,
  key_version      int not null,
  key_mode         text not null,
  cache            text not null,
  -- of the upstream's answer
  status           int not null,
  upstream_credits bigint not null,
  charged_credits  bigint not null,
  difference       text not null,
  recorded_at      timestamptz not null default now(),
  primary key (tenant_id, event_id)
);
create index usage_events_request on usage_events (request_id, attempt);
select weir.owned_by('usage_events', 'weir_metering');
select weir_metering.partition_usage_events(current_schema()) where current_setting('weir.pooled', true) = 'true';

-- Sums of what usage_events counts, by day and by hour; what a closed month sums up to is never changed again. Invoices read these.
create table usage_daily (
  tenant_id         text not null,
  day               date not null,
  adjusts           text not null,
  endpoint          text not null,
  project_id        text not null,
  token_id          text not null,
  status            int not null,
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
  primary key (tenant_id, day, adjusts, endpoint, project_id, token_id, status, key_owner, key_id, key_mode, mode, cache, difference)
) with (fillfactor = 70);
select weir.owned_by('usage_daily', 'weir_metering');

create table usage_hourly (
  tenant_id         text not null,
  day               date not null,
  hour              smallint not null,
  adjusts           text not null,
  endpoint          text not null,
  project_id        text not null,
  token_id          text not null,
  status            int not null,
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
  primary key (tenant_id, day, hour, adjusts, endpoint, project_id, token_id, status, key_owner, key_id, key_mode, mode, cache, difference)
) with (fillfactor = 70);
select weir.owned_by('usage_hourly', 'weir_metering');

-- Credits charged to live calls, by day and project: what quotas and budgets are counted in.
create table charged_daily (
  tenant_id  text not null,
  day        date not null,
  project_id text not null,
  credits    bigint not null,
  primary key (tenant_id, day, project_id)
) with (fillfactor = 70);
select weir.owned_by('charged_daily', 'weir_metering');

-- Up to where a tenant's books are closed: usage of days before this one becomes an adjustment.
create table books (
  tenant_id text primary key,
  open_from date not null
);
select weir.owned_by('books', 'weir_metering');

-- Who has, or had, a seat on which UTC days. A seat given back stays as a row, so that events which arrive twice or late change nothing.
create table seats (
  tenant_id     text not null,
  member_id     text not null,
  taken_on      date,
  given_back_on date,
  primary key (tenant_id, member_id)
);
select weir.owned_by('seats', 'weir_metering');

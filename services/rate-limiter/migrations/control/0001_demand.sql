-- What tenants asked of a key, as the fetchers said it: a row per fetcher, minute, tenant and key, once however often it arrives.
create table demand (
  event_id        text primary key,
  key_id          text not null,
  tenant_id       text not null,
  -- its start, ms
  minute          bigint not null,
  admitted        bigint not null,
  -- by limit
  refused         jsonb not null,
  promised        bigint not null,
  waited          bigint not null,
  waited_ms       bigint not null,
  longest_wait_ms bigint not null,
  -- what shadow policies would have refused, by limit
  shadow          jsonb not null
);
create index demand_of_key on demand (key_id, minute);
create index demand_of_tenant on demand (tenant_id, minute);
create index demand_age on demand (minute);

-- The last 429 that the upstream gave to each key.
create table upstream_refusals (
  key_id         text primary key,
  event_id       text not null,
  tenant_id      text not null,
  endpoint       text not null,
  retry_after_ms bigint,
  at             bigint not null
);

grant select, insert, update, delete on demand, upstream_refusals to weir_rate_limiter;

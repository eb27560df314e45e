-- Sums over all tenants by upstream key, written in the transaction of the tenant's own. The tenant is in the key, so that tenants
-- who share an upstream key do not wait for each other's rows.
create table key_usage (
  day               date not null,
  tenant_id         text not null,
  key_owner         text not null,
  key_id            text not null,
  mode              text not null,
  cache             text not null,
  difference        text not null,
  calls             bigint not null,
  upstream_credits  bigint not null,
  charged_credits   bigint not null,
  unsettled_credits bigint not null,
  primary key (day, tenant_id, key_owner, key_id, mode, cache, difference)
) with (fillfactor = 70);

-- Attempts of which nobody knows yet what became, over all tenants: one look finds what is overdue. Seen is when metering heard of it: after a
-- backlog, the settlements that wait behind the holds still get their time. From then on it is unsettled, until a settlement comes after
-- all or the upstream's account decides.
create table open_holds (
  tenant_id    text not null,
  request_id   text not null,
  attempt      int not null,
  key_id       text not null,
  held_at      timestamptz not null,
  seen_at      timestamptz not null default now(),
  unsettled_at timestamptz,
  primary key (tenant_id, request_id, attempt)
);
create index open_holds_age on open_holds (seen_at) where unsettled_at is null;
create index open_holds_unsettled on open_holds (held_at) where unsettled_at is not null;

grant select, insert, update, delete on key_usage, open_holds to weir_metering;
select weir.travels('key_usage', false), weir.travels('open_holds');

-- Which tenants the platform's keys served, by the demand that fetchers tell: what a quarantine touches.
create table platform_key_use (
  key_id       text not null,
  tenant_id    text not null,
  -- start of the last minute with a call, ms
  last_minute  bigint not null,
  primary key (key_id, tenant_id)
);
-- What the upstream said of the credits left.
create table platform_key_balances (
  key_id  text not null,
  at      bigint not null,
  credits bigint not null,
  primary key (key_id, at)
);
-- When each entry of the first boot was taken up: of several processes all hand in the same.
create table platform_key_seeds (
  name text primary key,
  at   bigint not null
);
grant select, insert, update, delete on platform_key_use, platform_key_balances, platform_key_seeds to weir_key_vault;
select weir.travels('platform_key_use');

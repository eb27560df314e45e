-- Keys that an upstream refused lately, over all tenants: many at once are the upstream's trouble and no verdict on any of them.
create table refused_keys (
  key_id text primary key,
  at     timestamptz not null default now()
);
create index refused_keys_at on refused_keys (at);
grant select, insert, update, delete on refused_keys to weir_key_vault;

-- The last profile of each user that the tenant asked for. About a person: it names its subjects and ends at expires_at.
create table user_snapshots (
  tenant_id  text not null,
  sec_uid    text not null,
  unique_id  text not null,
  -- as the upstream sent it, byte for byte
  body       bytea not null,
  -- who it is about, as erasure names them
  subjects   text[] not null,
  fetched_at timestamptz not null,
  expires_at timestamptz not null,
  primary key (tenant_id, sec_uid)
);
create index user_snapshots_by_name on user_snapshots (tenant_id, lower(unique_id));
create index user_snapshots_expired on user_snapshots (tenant_id, expires_at);
select weir.owned_by('user_snapshots', 'weir_upstream_fetcher');

-- The tenant's data keys as the key-encryption key wrapped them; useless without it.
create table data_keys (
  tenant_id  text not null,
  purpose    text not null,
  version    int not null,
  kek_id     text not null,
  wrapped    bytea not null,
  -- secrets sealed under it; at the bound the next version takes over
  seals      bigint not null default 0,
  created_at timestamptz not null default now(),
  -- the rotations that made it and that wrapped it anew, so that one which goes on after a crash does neither twice
  made_in      text,
  rewrapped_in text,
  -- no secret is left under it, and none comes: wrapped is empty
  destroyed_at timestamptz,
  primary key (tenant_id, purpose, version)
);
select weir.owned_by('data_keys', 'weir_key_vault');

-- Which keys there are; what they are like is folded from their streams.
create table upstream_keys (
  tenant_id text not null,
  key_id    text not null,
  primary key (tenant_id, key_id)
);
select weir.owned_by('upstream_keys', 'weir_key_vault');

-- Sealed secrets. Here and not in the log, which is forever: they can be re-encrypted and destroyed.
create table upstream_key_blobs (
  tenant_id        text not null,
  key_id           text not null,
  version          int not null,
  data_key_version int not null,
  sealed           bytea not null,
  primary key (tenant_id, key_id, version)
);
select weir.owned_by('upstream_key_blobs', 'weir_key_vault');

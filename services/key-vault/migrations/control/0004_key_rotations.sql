-- Rotations of all tenants' data keys and of the key-encryption key: work that outlives processes.
create table key_rotations (
  id            text primary key,
  -- data-keys, key-encryption-key
  of            text[] not null,
  -- which new data keys go under; null until the rotation has begun
  kek_id        text,
  started_at    timestamptz not null default now(),
  finished_at   timestamptz,
  -- canonical JSON, as it was signed
  report        text,
  signature     bytea,
  -- older key-encryption keys that Weir itself holds are destroyed a while after the end
  retired_at    timestamptz
);
create index key_rotations_open on key_rotations (started_at) where retired_at is null;

create table key_rotation_tenants (
  rotation_id  text not null references key_rotations (id),
  tenant_id    text not null,
  tries        int not null default 0,
  -- not before; of one that is being worked on: when somebody else may take it
  due_at       timestamptz not null default now(),
  last_error   text,
  done_at      timestamptz,
  -- what was found under which key at the end
  found        jsonb,
  primary key (rotation_id, tenant_id)
);
create index key_rotation_tenants_due on key_rotation_tenants (due_at) where done_at is null;

-- The key that signs reports, sealed as any other secret.
create table report_signers (
  id         int primary key check (id = 1),
  public_key bytea not null,
  sealed     bytea not null,
  kek_id     text not null,
  wrapped    bytea not null
);
grant select, insert, update, delete on key_rotations, key_rotation_tenants, report_signers to weir_key_vault;

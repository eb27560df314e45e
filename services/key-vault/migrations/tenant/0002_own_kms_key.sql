-- The KMS key of the tenant's own under which its data keys are made; no row: the platform's.
create table tenant_kms_keys (
  tenant_id  text primary key,
  -- its ARN
  kms_key_id text not null,
  set_at     timestamptz not null default now()
);
select weir.owned_by('tenant_kms_keys', 'weir_key_vault');

-- null: all tenants
alter table key_rotations add column tenant_id text;

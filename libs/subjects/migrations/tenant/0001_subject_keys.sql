-- The key under which this tenant's data and events name persons: made once, by whoever needs it first, and never changed. Without it a
-- pseudonym says nothing; it stays in the tenant's schema and goes with it.
create table subject_keys (
  tenant_id text primary key,
  key       bytea not null check (length(key) = 32)
);
do $$
declare grantee text := current_setting('weir.provisioning_role');
begin
  alter table subject_keys enable row level security;
  alter table subject_keys force row level security;
  create policy read_own on subject_keys for select using (tenant_id = weir.tenant());
  create policy make_own on subject_keys for insert
    with check (tenant_id = weir.tenant() and session_user in ('weir_upstream_fetcher', 'weir_audit_ledger'));
  execute format('grant select, insert on subject_keys to %I', grantee);
end $$;

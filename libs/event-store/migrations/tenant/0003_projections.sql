-- How far each projection has read the log. A projection's rows bear the generation that they belong to: the live one is read, another
-- one is being built beside it, and takes its place in one transaction. Generations and not tables to rename: a service owns no table,
-- and the pooled schema's tables have many tenants, each rebuilt at its own time.
create table log_projections (
  tenant_id  text not null,
  projection text not null,
  generation int not null,
  owner      text not null default session_user,
  -- of the code that builds it
  definition int not null,
  position   bigint not null default 0,
  live       boolean not null,
  primary key (tenant_id, projection, generation)
);
create unique index log_projections_live on log_projections (tenant_id, projection) where live;

do $$
declare own text := 'tenant_id = weir.tenant() and owner = session_user';
begin
  alter table log_projections enable row level security;
  alter table log_projections force row level security;
  create policy read_own on log_projections for select using (tenant_id = weir.tenant());
  execute format('create policy write_own on log_projections for all using (%1$s) with check (%1$s)', own);
  execute format('grant select, insert, update, delete on log_projections to %I', current_setting('weir.provisioning_role'));
end $$;

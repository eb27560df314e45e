create table api_tokens (
  tenant_id   text not null,
  id          text not null,
  label       text not null,
  mode        text not null,
  role        text not null,
  project_id  text not null,
  -- SHA-256 of 256 random bits; the secret itself is kept nowhere
  secret_hash text not null,
  expires_at  bigint,
  revoked_at  bigint,
  created_at  bigint not null,
  primary key (tenant_id, id)
);
select weir.owned_by('api_tokens', 'weir_tenant_registry');

create table projects (
  tenant_id  text not null,
  id         text not null,
  name       text not null,
  created_at bigint not null,
  primary key (tenant_id, id)
);
select weir.owned_by('projects', 'weir_tenant_registry');

-- Who has a seat. The address is personal and stands here alone; events know the member's id.
create table members (
  tenant_id  text not null,
  id         text not null,
  email      text not null,
  role       text not null,
  created_at bigint not null,
  primary key (tenant_id, id),
  unique (tenant_id, email)
);
select weir.owned_by('members', 'weir_tenant_registry');

-- First answers of POSTs that bore an Idempotency-Key, by who called. Kept for a day; they hold no secret.
create table weir.idempotency_keys (
  scope        text not null,
  key          text not null,
  request_hash text not null,
  command_id   text not null,
  at           bigint not null,
  state        text not null default 'running' check (state in ('running', 'done')),
  status       int,
  body         text,
  headers      jsonb,
  lease_until  timestamptz not null,
  created_at   timestamptz not null default now(),
  primary key (scope, key)
);
create index idempotency_keys_age on weir.idempotency_keys (created_at);
grant select, insert, update, delete on weir.idempotency_keys to weir_service;

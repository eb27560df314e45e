create table webhooks (
  tenant_id   text not null,
  id          text not null,
  url         text not null,
  types       text[] not null,
  status      text not null,
  -- how often its secret was rotated: the secret itself is computed from the installation's key and stands nowhere
  rotation    int not null default 0,
  -- ms since the epoch until which the secret before is signed with as well
  overlap_until bigint not null default 0,
  created_at  bigint not null,
  primary key (tenant_id, id)
);
select weir.owned_by('webhooks', 'weir_metering');

create table webhook_deliveries (
  tenant_id    text not null,
  id           text not null,
  webhook_id   text not null,
  -- what receivers tell repetitions by: the event's id, the same in every attempt and replay
  message_id   text not null,
  type         text not null,
  body         text not null,
  status       text not null,
  attempts     int not null default 0,
  last_status  int,
  last_error   text,
  created_at   bigint not null,
  attempted_at bigint,
  next_at      bigint,
  primary key (tenant_id, id)
);
create unique index webhook_deliveries_message on webhook_deliveries (tenant_id, webhook_id, message_id);
select weir.owned_by('webhook_deliveries', 'weir_metering');

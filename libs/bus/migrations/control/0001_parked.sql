-- Messages that a consumer could not handle. A parked key parks what follows it, so that release keeps the order.
--
--     parked ──release──▶ released ──handled──▶ done
--        ▲  └───drop───▶ dropped  │
--        └────── fails again ─────┘
create table weir.parked_messages (
  id              uuid primary key default uuidv7(),
  service         text not null,
  grp             text not null,
  topic           text not null,
  partition       int not null,
  "offset"        text not null,
  key             text not null,
  headers         jsonb not null,
  value           bytea,
  at              bigint not null,
  reason          text not null,
  error_code      text,
  state           text not null default 'parked' check (state in ('parked', 'released', 'done', 'dropped')),
  parked_at       timestamptz not null default now(),
  -- who released or dropped it, when, and why
  decided_by      text,
  decided_at      timestamptz,
  decision_reason text,
  unique (grp, topic, partition, "offset")
);
create index parked_messages_open on weir.parked_messages (grp, topic, key) where state in ('parked', 'released');
create index parked_messages_released on weir.parked_messages (grp, topic, partition) where state = 'released';
grant select, insert, update on weir.parked_messages to weir_service;

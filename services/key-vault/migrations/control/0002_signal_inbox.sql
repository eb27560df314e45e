-- Signals that have been judged, so that one which arrives again changes nothing. Written in the transaction of the events that follow
-- from it; kept for longer than the topic keeps its records.
create table signal_inbox (
  event_id text primary key,
  at       timestamptz not null default now()
);
create index signal_inbox_at on signal_inbox (at);
grant select, insert, delete on signal_inbox to weir_key_vault;

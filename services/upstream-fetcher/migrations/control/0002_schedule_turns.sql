-- When each schedule is due next, over all tenants. Of several processes one claims a turn; one that died leaves it to another when the
-- claim has run out, and the job that it may have made has the same id.
create table schedule_turns (
  tenant_id     text not null,
  schedule_id   text not null,
  due_at        timestamptz not null,
  -- upstream calls of a run at most: for quotes
  calls         int not null,
  key_owner     text not null,
  claimed_until timestamptz,
  primary key (tenant_id, schedule_id)
);
create index schedule_turns_due on schedule_turns (due_at);
grant select, insert, update, delete on schedule_turns to weir_upstream_fetcher;
select weir.travels('schedule_turns');

-- Whose turn it is, over all tenants: jobs to go on with, and jobs whose results end. Written in the transaction of the job's events.
-- A worker holds a turn by a lease that it renews; one that died is followed by another when the lease has run out.
create table job_turns (
  tenant_id   text not null,
  job_id      text not null,
  -- whether there is something to fetch, or only something to delete
  ended       boolean not null default false,
  due_at      timestamptz not null,
  -- upstream calls left at most: for quotes, of which others' backlogs are a part
  calls_left  int not null,
  -- platform: it waits for the platform's keys, as others do
  key_owner   text not null,
  lease       text,
  lease_until timestamptz,
  primary key (tenant_id, job_id)
);
create index job_turns_due on job_turns (due_at);
grant select, insert, update, delete on job_turns to weir_upstream_fetcher;
select weir.travels('job_turns');

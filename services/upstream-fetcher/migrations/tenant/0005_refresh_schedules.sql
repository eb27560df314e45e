-- What is fetched again and again, and by which clock. Whom it is about stands in the targets alone.
create table refresh_schedules (
  tenant_id       text not null,
  schedule_id     text not null,
  name            text,
  endpoint        text not null,
  cron            text not null,
  timezone        text not null,
  pages           int not null,
  -- parameters that are the same for every target
  params          jsonb not null,
  max_age_seconds int,
  project_id      text not null,
  token_id        text,
  created_at      timestamptz not null,
  last_at         timestamptz,
  last_job_id     text,
  -- why the last run made no job; null: it did
  last_error      text,
  primary key (tenant_id, schedule_id)
);
select weir.owned_by('refresh_schedules', 'weir_upstream_fetcher');

create table refresh_targets (
  tenant_id   text not null,
  schedule_id text not null,
  n           int not null,
  target      text not null,
  -- who it is, as erasure names them
  subjects    text[] not null,
  primary key (tenant_id, schedule_id, n)
);
create index refresh_targets_subjects on refresh_targets using gin (subjects);
select weir.owned_by('refresh_targets', 'weir_upstream_fetcher');

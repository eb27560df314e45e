-- Bulk fetches. What they are for and how they ended is in the log; here is what to fetch and what came of it, which is about persons:
-- it ends at expires_at.
create table fetch_jobs (
  tenant_id       text not null,
  job_id          text not null,
  name            text,
  status          text not null check (status in ('waiting', 'running', 'finished', 'cancelled')),
  purpose         text not null check (purpose in ('call', 'refresh')),
  mode            text not null check (mode in ('live', 'test')),
  project_id      text not null,
  token_id        text,
  schedule_id     text,
  -- how old an answer may be; null: as the catalog says
  max_age_ms      bigint,
  items           int not null,
  quoted_credits  int not null,
  quoted_finish   timestamptz,
  -- while nothing of it can be fetched: until when, and why
  rests_until     timestamptz,
  rests_because   text,
  created_at      timestamptz not null,
  ended_at        timestamptz,
  expires_at      timestamptz not null,
  primary key (tenant_id, job_id)
);
select weir.owned_by('fetch_jobs', 'weir_upstream_fetcher');

-- A page of an item is a row; the next one is added when its answer says that there is one.
create table fetch_job_items (
  tenant_id  text not null,
  job_id     text not null,
  item       int not null,
  page       int not null,
  -- pages at most
  pages      int not null,
  endpoint   text not null,
  -- the canonical parameters
  query      text not null,
  state      text not null check (state in ('pending', 'done', 'failed', 'cancelled')),
  tries      int not null default 0,
  request_id text,
  status     int,
  credits    int,
  cache      text,
  error      text,
  -- the answer, byte for byte
  body       bytea,
  -- who it is about, as erasure names them
  subjects   text[] not null default '{}',
  fetched_at timestamptz,
  primary key (tenant_id, job_id, item, page)
);
-- what a worker takes next, without going over what is done
create index fetch_job_items_pending on fetch_job_items (tenant_id, job_id, item, page) where state = 'pending';
create index fetch_job_items_subjects on fetch_job_items using gin (subjects);
select weir.owned_by('fetch_job_items', 'weir_upstream_fetcher');

-- Answers to calls with an Idempotency-Key, to be given again for a day. About a person: it names its subjects and ends at expires_at.
create table call_replays (
  tenant_id    text not null,
  -- live/… or test/…, then the key as the client sent it
  key          text not null,
  -- of endpoint and canonical parameters
  request_hash text not null,
  -- the call that holds the key, or made the answer
  request_id   text not null,
  -- null while the call runs: until lease_until nobody else makes it
  done_at      timestamptz,
  lease_until  timestamptz not null,
  status       int,
  content_type text,
  -- null: too large, or of what is never kept
  body         bytea,
  credits      int,
  key_owner    text,
  fetched_at   timestamptz,
  -- what is charged for it, as usage records, until the bus has them: they follow the answer, so that a retry never pays twice
  unpublished  jsonb,
  -- who it is about, as erasure names them
  subjects     text[] not null default '{}',
  expires_at   timestamptz not null,
  primary key (tenant_id, key)
);
create index call_replays_expired on call_replays (tenant_id, expires_at);
select weir.owned_by('call_replays', 'weir_upstream_fetcher');

-- What profiles and posts were like at a time: typed, so that history is a query. About persons: each row names its subjects, as erasure
-- names them, and ends at expires_at.
create table user_snapshots (
  tenant_id       text not null,
  sec_uid         text not null,
  captured_at     timestamptz not null,
  -- the upstream's number of the user, by which its posts name it
  user_id         text,
  unique_id       text not null,
  nickname        text,
  region          text,
  verified        boolean,
  follower_count  bigint not null,
  following_count bigint not null,
  heart_count     bigint not null,
  video_count     bigint not null,
  -- as the upstream sent it, byte for byte
  body            bytea not null,
  subjects        text[] not null,
  expires_at      timestamptz not null,
  primary key (tenant_id, sec_uid, captured_at)
);
create index user_snapshots_by_name on user_snapshots (tenant_id, lower(unique_id), captured_at);
create index user_snapshots_expired on user_snapshots (tenant_id, expires_at);
create index user_snapshots_subjects on user_snapshots using gin (subjects);
select weir.owned_by('user_snapshots', 'weir_upstream_fetcher');

create table post_snapshots (
  tenant_id      text not null,
  video_id       text not null,
  captured_at    timestamptz not null,
  -- of the author; null while no profile of that user has been captured
  sec_uid        text,
  user_id        text not null,
  title          text,
  posted_at      timestamptz,
  duration_s     int,
  play_count     bigint,
  like_count     bigint,
  comment_count  bigint,
  share_count    bigint,
  download_count bigint,
  subjects       text[] not null,
  expires_at     timestamptz not null,
  primary key (tenant_id, video_id, captured_at)
);
create index post_snapshots_by_author on post_snapshots (tenant_id, user_id, captured_at);
create index post_snapshots_expired on post_snapshots (tenant_id, expires_at);
create index post_snapshots_subjects on post_snapshots using gin (subjects);
select weir.owned_by('post_snapshots', 'weir_upstream_fetcher');

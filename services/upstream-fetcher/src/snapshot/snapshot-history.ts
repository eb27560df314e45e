import { rfc3339, type TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import type { Endpoint } from '@weir/upstream-catalog';
import { freshUntil } from './freshness';

/** Who a profile is of and what it counted at a time. */
export interface UserAtTime {
  readonly secUid: string;
  readonly userId: string | null;
  readonly uniqueId: string;
  readonly nickname: string | null;
  readonly region: string | null;
  readonly verified: boolean | null;
  readonly stats: { readonly followers: number; readonly following: number; readonly hearts: number; readonly videos: number };
  readonly capturedAt: string;
}

export interface LatestUser extends UserAtTime {
  /** Until then it is as new as a dashboard wants it. */
  readonly freshUntil: string;
  readonly fresh: boolean;
  /** The upstream's answer, as it was sent. */
  readonly profile: unknown;
}

export interface PostAtTime {
  readonly videoId: string;
  readonly secUid: string | null;
  readonly userId: string;
  readonly title: string | null;
  readonly postedAt: string | null;
  readonly durationS: number | null;
  readonly stats: {
    readonly plays: number | null;
    readonly likes: number | null;
    readonly comments: number | null;
    readonly shares: number | null;
    readonly downloads: number | null;
  };
  readonly capturedAt: string;
}

/** A stretch of history, the newest first. */
export interface Stretch {
  readonly from: Date | undefined;
  /** Exclusive: where the page before it ended. */
  readonly before: Date | undefined;
  readonly limit: number;
}

interface UserColumns {
  sec_uid: string;
  user_id: string | null;
  unique_id: string;
  nickname: string | null;
  region: string | null;
  verified: boolean | null;
  follower_count: string;
  following_count: string;
  heart_count: string;
  video_count: string;
  captured_at: Date;
}

interface PostColumns {
  video_id: string;
  sec_uid: string | null;
  user_id: string;
  title: string | null;
  posted_at: Date | null;
  duration_s: number | null;
  play_count: string | null;
  like_count: string | null;
  comment_count: string | null;
  share_count: string | null;
  download_count: string | null;
  captured_at: Date;
}

const USER = 'sec_uid, user_id, unique_id, nickname, region, verified, follower_count, following_count, heart_count, video_count, captured_at';
const POST = 'video_id, sec_uid, user_id, title, posted_at, duration_s, play_count, like_count, comment_count, share_count, download_count, captured_at';
/** One of the three ways in which a user is named, $2: secUid, number, or name. */
const NAMED = '(sec_uid = $2 or user_id = $2 or lower(unique_id) = lower($2))';

/** What was captured, without a call to the upstream. */
export class SnapshotHistory {
  constructor(
    private readonly work: UnitOfWork,
    /** Whose answers profiles are: it says how long one is fresh. */
    private readonly profile: Pick<Endpoint, 'snapshotLifetimeSeconds'>,
  ) {}

  /** The last profile of a user by secUid, number or name; undefined: never asked for. */
  async user(tenant: TenantId, user: string, now: number): Promise<LatestUser | undefined> {
    const { rows } = await this.work.inTenant(tenant, (sql) =>
      sql.query<UserColumns & { body: Buffer }>(
        `select ${USER}, body from user_snapshots where tenant_id = $1 and ${NAMED} and expires_at > now()
         order by sec_uid = $2 desc, captured_at desc limit 1`,
        [tenant, user],
      ),
    );
    const row = rows[0];
    if (row === undefined) return undefined;
    const until = freshUntil(this.profile, row.captured_at.getTime());
    return { ...toUser(row), freshUntil: rfc3339(until), fresh: until > now, profile: JSON.parse(row.body.toString('utf8')) as unknown };
  }

  async userHistory(tenant: TenantId, user: string, { from, before, limit }: Stretch): Promise<UserAtTime[]> {
    const { rows } = await this.work.inTenant(tenant, (sql) =>
      sql.query<UserColumns>(
        `select ${USER} from user_snapshots where tenant_id = $1 and ${NAMED} and expires_at > now()
           and ($3::timestamptz is null or captured_at >= $3) and ($4::timestamptz is null or captured_at < $4)
         order by captured_at desc limit $5`,
        [tenant, user, from ?? null, before ?? null, limit + 1],
      ),
    );
    return rows.map(toUser);
  }

  /** The posts of a user, each as it was last captured, the newest post first. @param before the id of a post */
  async posts(tenant: TenantId, user: string, page: { limit: number; before: string | undefined }): Promise<PostAtTime[]> {
    const { rows } = await this.work.inTenant(tenant, (sql) =>
      sql.query<PostColumns>(
        `select ${POST} from (
           select distinct on (video_id) ${POST} from post_snapshots p
           where tenant_id = $1 and expires_at > now() and p.user_id in (
             select u.user_id from user_snapshots u where u.tenant_id = $1 and (u.sec_uid = $2 or lower(u.unique_id) = lower($2)) union select $2)
           order by video_id, captured_at desc) latest
         where $3::text is null or (length(video_id), video_id) < (length($3), $3)
         order by length(video_id) desc, video_id desc limit $4`,
        [tenant, user, page.before ?? null, page.limit + 1],
      ),
    );
    return rows.map(toPost);
  }

  async postHistory(tenant: TenantId, videoId: string, { from, before, limit }: Stretch): Promise<PostAtTime[]> {
    const { rows } = await this.work.inTenant(tenant, (sql) =>
      sql.query<PostColumns>(
        `select ${POST} from post_snapshots where tenant_id = $1 and video_id = $2 and expires_at > now()
           and ($3::timestamptz is null or captured_at >= $3) and ($4::timestamptz is null or captured_at < $4)
         order by captured_at desc limit $5`,
        [tenant, videoId, from ?? null, before ?? null, limit + 1],
      ),
    );
    return rows.map(toPost);
  }
}

const count = (value: string | null): number | null => (value === null ? null : Number(value));

const toUser = (row: UserColumns): UserAtTime => ({
  secUid: row.sec_uid,
  userId: row.user_id,
  uniqueId: row.unique_id,
  nickname: row.nickname,
  region: row.region,
  verified: row.verified,
  stats: { followers: Number(row.follower_count), following: Number(row.following_count), hearts: Number(row.heart_count), videos: Number(row.video_count) },
  capturedAt: rfc3339(row.captured_at.getTime()),
});

const toPost = (row: PostColumns): PostAtTime => ({
  videoId: row.video_id,
  secUid: row.sec_uid,
  userId: row.user_id,
  title: row.title,
  postedAt: row.posted_at && rfc3339(row.posted_at.getTime()),
  durationS: row.duration_s,
  stats: {
    plays: count(row.play_count),
    likes: count(row.like_count),
    comments: count(row.comment_count),
    shares: count(row.share_count),
    downloads: count(row.download_count),
  },
  capturedAt: rfc3339(row.captured_at.getTime()),
});

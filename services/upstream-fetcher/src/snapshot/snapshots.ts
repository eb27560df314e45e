import { sleep, type TenantId } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import type { Endpoint } from '@weir/upstream-catalog';
import type { SubjectKeys } from '../subject/subject-keys';
import { subjectsIn } from '../subject/subjects-in';
import { anySuppressed } from '../subject/suppressions';
import { postRows, userRow, type PostRow, type UserRow } from './snapshot-rows';

/** An answer that is kept as a snapshot: of status 200, with the catalog's shape. */
export interface SnapshotToKeep {
  readonly tenantId: TenantId;
  readonly endpoint: Endpoint;
  /** Canonical. */
  readonly query: string;
  readonly body: Buffer;
  /** ms */
  readonly fetchedAt: number;
}

export interface SnapshotOptions {
  readonly work: UnitOfWork;
  readonly subjectKeys: SubjectKeys;
  /** ms that a snapshot stays. */
  readonly keepMs: number;
  /** Bodies waiting at most. */
  readonly maxBytes: number;
  readonly onError: (error: Error) => void;
}

/** Waiting at most, whatever their size: past them a snapshot is left out, and told; the tenant's next call brings it again. */
const MOST_WAITING = 5_000;
const AT_ONCE = 4;
const REMEMBERED = 10_000;

/**
 * Profiles and posts that a tenant asked for, as rows in the tenant's own schema. Written after the answer, a few at a time; an answer
 * that is stored already is not stored again with each cache hit.
 */
export class Snapshots {
  private readonly waiting: SnapshotToKeep[] = [];
  private waitingBytes = 0;
  private readonly stored = new Map<string, number>();
  private busy = 0;
  private idle: (() => void)[] = [];

  constructor(private readonly options: SnapshotOptions) {}

  keep(snapshot: SnapshotToKeep): void {
    const { tenantId, endpoint, query, body, fetchedAt } = snapshot;
    const name = `${tenantId}/${endpoint.id}?${query}`;
    if ((this.stored.get(name) ?? 0) >= fetchedAt) return;
    if (this.waiting.length >= MOST_WAITING || this.waitingBytes + body.length > this.options.maxBytes) {
      return this.options.onError(new Error('too many snapshots are waiting; one is left out'));
    }
    this.remember(name, fetchedAt);
    this.waiting.push({ ...snapshot, body: ofItsOwn(body) });
    this.waitingBytes += body.length;
    if (this.busy < AT_ONCE) void this.store();
  }

  /** Resolves when nothing is waiting, or after the grace; says how many are not stored. */
  async drain(graceMs: number): Promise<number> {
    if (this.busy === 0) return 0;
    const over = new AbortController();
    await Promise.race([new Promise<void>((resolve) => this.idle.push(resolve)), sleep(graceMs, over.signal)]);
    over.abort();
    return this.waiting.length + this.busy;
  }

  private async store(): Promise<void> {
    this.busy++;
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      const { tenantId, endpoint, query, body } = next;
      await this.write(next).catch((error: Error) => {
        this.stored.delete(`${tenantId}/${endpoint.id}?${query}`);
        this.options.onError(error);
      });
      this.waitingBytes -= body.length;
    }
    this.busy--;
    if (this.busy === 0) for (const resolve of this.idle.splice(0)) resolve();
  }

  private async write({ tenantId, endpoint, query, body, fetchedAt }: SnapshotToKeep): Promise<void> {
    const { work, subjectKeys, keepMs } = this.options;
    const parsed = JSON.parse(body.toString('utf8')) as unknown;
    const subjects = await subjectKeys.pseudonymsOf(tenantId, subjectsIn(endpoint, query, parsed));
    const row = { tenantId, subjects, capturedAt: new Date(fetchedAt), expiresAt: new Date(fetchedAt + keepMs) };
    const user = userRow(endpoint, parsed);
    const posts = postRows(endpoint, query, parsed);
    await work.inTenant(tenantId, async (sql) => {
      if (await anySuppressed(sql, tenantId, subjects)) return;
      if (user !== undefined) await addUser(sql, row, user, body);
      if (posts.length > 0) await addPosts(sql, row, posts);
    });
  }

  private remember(name: string, fetchedAt: number): void {
    this.stored.delete(name);
    this.stored.set(name, fetchedAt);
    if (this.stored.size <= REMEMBERED) return;
    const oldest = this.stored.keys().next().value;
    if (oldest !== undefined) this.stored.delete(oldest);
  }
}

/** A small body is a piece of a larger buffer (Node's pool has 64 KB each), and as long as it waits none of that is free: 7 KB a profile of 1 KB, measured. */
function ofItsOwn(body: Buffer): Buffer {
  if (body.buffer.byteLength === body.length) return body;
  const own = Buffer.allocUnsafeSlow(body.length);
  body.copy(own);
  return own;
}

interface Row {
  readonly tenantId: TenantId;
  readonly subjects: readonly string[];
  readonly capturedAt: Date;
  readonly expiresAt: Date;
}

/** Takes a few expired ones with it, so that what is about a person does not outlive its time for want of a sweep. */
const expired = (table: string, key: string) => `expired as (
  delete from ${table} where (tenant_id, ${key}, captured_at) in (
    select tenant_id, ${key}, captured_at from ${table}
    where tenant_id = $1 and expires_at <= now() order by expires_at limit 20 for update skip locked))`;

async function addUser(sql: Sql, { tenantId, subjects, capturedAt, expiresAt }: Row, user: UserRow, body: Buffer): Promise<void> {
  await sql.query(
    `with ${expired('user_snapshots', 'sec_uid')},
       known as (
         update post_snapshots set sec_uid = $2 where tenant_id = $1 and user_id = $4 and sec_uid is null)
     insert into user_snapshots (tenant_id, sec_uid, captured_at, user_id, unique_id, nickname, region, verified, follower_count,
       following_count, heart_count, video_count, body, subjects, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) on conflict do nothing`,
    [
      tenantId,
      user.secUid,
      capturedAt,
      user.userId,
      user.uniqueId,
      user.nickname,
      user.region,
      user.verified,
      user.followers,
      user.following,
      user.hearts,
      user.videos,
      body,
      subjects,
      expiresAt,
    ],
  );
}

async function addPosts(sql: Sql, { tenantId, subjects, capturedAt, expiresAt }: Row, posts: readonly PostRow[]): Promise<void> {
  const column = <K extends keyof PostRow>(name: K) => posts.map((post) => post[name]);
  await sql.query(
    `with ${expired('post_snapshots', 'video_id')}
     insert into post_snapshots (tenant_id, video_id, captured_at, sec_uid, user_id, title, posted_at, duration_s, play_count, like_count,
       comment_count, share_count, download_count, subjects, expires_at)
     select $1, video_id, $2,
       (select u.sec_uid from user_snapshots u where u.tenant_id = $1 and u.user_id = post.user_id order by u.captured_at desc limit 1),
       user_id, title, to_timestamp(posted_at / 1000.0), duration_s, play_count, like_count, comment_count, share_count, download_count, $3, $4
     from unnest($5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[])
       as post(video_id, user_id, title, posted_at, duration_s, play_count, like_count, comment_count, share_count, download_count)
     on conflict do nothing`,
    [
      tenantId,
      capturedAt,
      subjects,
      expiresAt,
      column('videoId'),
      column('userId'),
      column('title'),
      column('postedAt'),
      column('durationS'),
      column('plays'),
      column('likes'),
      column('comments'),
      column('shares'),
      column('downloads'),
    ],
  );
}

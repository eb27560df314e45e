import type { TenantId } from '@weir/kernel';
import { rfc3339, sleep } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import type { Endpoint } from '@weir/upstream-catalog';

/** Whom a profile is about. */
export interface UserSubject {
  readonly secUid: string;
  readonly uniqueId: string;
}

export interface UserSnapshot extends UserSubject {
  readonly fetchedAt: string;
  readonly expiresAt: string;
  /** The upstream's answer, as it was sent. */
  readonly profile: unknown;
}

const PROFILE = 'userinfo-by-username';

/** The user that an answer is the profile of, when it is one; the catalog has checked its shape. */
export function userIn(endpoint: Endpoint, parsed: unknown): UserSubject | undefined {
  if (endpoint.id !== PROFILE) return undefined;
  const { secUid, uniqueId } = (parsed as { user: UserSubject }).user;
  return { secUid, uniqueId };
}

export interface SnapshotToKeep extends UserSubject {
  readonly tenantId: TenantId;
  readonly body: Buffer;
  /** ms */
  readonly fetchedAt: number;
  readonly lifetimeMs: number;
}

/** Waiting at most: past them a snapshot is left out, and told; the tenant's next call brings it again. */
const MOST_WAITING = 1_000;
const AT_ONCE = 4;
const REMEMBERED = 10_000;

/**
 * The last profile of each user that a tenant asked for, in the tenant's own schema. Written after the answer, a few at a time; a
 * profile that is stored already is not stored again with each cache hit.
 */
export class UserSnapshots {
  private readonly waiting: SnapshotToKeep[] = [];
  private readonly stored = new Map<string, number>();
  private busy = 0;
  private idle: (() => void)[] = [];

  constructor(
    private readonly work: UnitOfWork,
    private readonly onError: (error: Error) => void,
  ) {}

  keep(snapshot: SnapshotToKeep): void {
    const name = `${snapshot.tenantId}/${snapshot.secUid}`;
    if ((this.stored.get(name) ?? 0) >= snapshot.fetchedAt) return;
    if (this.waiting.length >= MOST_WAITING) return this.onError(new Error('too many snapshots are waiting; one is left out'));
    this.remember(name, snapshot.fetchedAt);
    this.waiting.push(snapshot);
    if (this.busy < AT_ONCE) void this.store();
  }

  /** The profile of a user by `secUid` or user name; undefined: never asked for, or expired. */
  async find(tenantId: TenantId, user: string): Promise<UserSnapshot | undefined> {
    const { rows } = await this.work.inTenant(tenantId, (sql) =>
      sql.query<{ sec_uid: string; unique_id: string; body: Buffer; fetched_at: Date; expires_at: Date }>(
        `select sec_uid, unique_id, body, fetched_at, expires_at from user_snapshots
         where tenant_id = $1 and (sec_uid = $2 or lower(unique_id) = lower($2)) and expires_at > now()
         order by sec_uid = $2 desc, fetched_at desc limit 1`,
        [tenantId, user],
      ),
    );
    const row = rows[0];
    return (
      row && {
        secUid: row.sec_uid,
        uniqueId: row.unique_id,
        fetchedAt: rfc3339(row.fetched_at.getTime()),
        expiresAt: rfc3339(row.expires_at.getTime()),
        profile: JSON.parse(row.body.toString('utf8')) as unknown,
      }
    );
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
      const { tenantId, secUid } = next;
      await this.upsert(next).catch((error: Error) => {
        this.stored.delete(`${tenantId}/${secUid}`);
        this.onError(error);
      });
    }
    this.busy--;
    if (this.busy === 0) for (const resolve of this.idle.splice(0)) resolve();
  }

  /** Takes a few expired ones with it, so that what is about a person does not outlive its time for want of a sweep. */
  private upsert({ tenantId, secUid, uniqueId, body, fetchedAt, lifetimeMs }: SnapshotToKeep) {
    return this.work.inTenant(tenantId, (sql) =>
      sql.query(
        `with expired as (
           delete from user_snapshots where (tenant_id, sec_uid) in (
             select tenant_id, sec_uid from user_snapshots
             where tenant_id = $1 and expires_at <= now() and sec_uid <> $2 limit 20 for update skip locked))
         insert into user_snapshots (tenant_id, sec_uid, unique_id, body, subjects, fetched_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (tenant_id, sec_uid) do update
           set unique_id = excluded.unique_id, body = excluded.body, subjects = excluded.subjects,
               fetched_at = excluded.fetched_at, expires_at = excluded.expires_at
           where user_snapshots.fetched_at < excluded.fetched_at`,
        [tenantId, secUid, uniqueId, body, [`user:${secUid}`], new Date(fetchedAt), new Date(fetchedAt + lifetimeMs)],
      ),
    );
  }

  private remember(name: string, fetchedAt: number): void {
    this.stored.delete(name);
    this.stored.set(name, fetchedAt);
    if (this.stored.size <= REMEMBERED) return;
    const oldest = this.stored.keys().next().value;
    if (oldest !== undefined) this.stored.delete(oldest);
  }
}

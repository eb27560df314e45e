import { sleep, type RequestId, type TenantId } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import { idempotencyInProgress, idempotencyKeyReused, idempotencyNotReplayable } from '../errors';
import { anySuppressed } from '../subject/suppressions';
import type { Answer } from './answer';
import type { KeyOwner } from './key-choice';

/** An answer that may be given again under its Idempotency-Key. */
export interface Replay extends Answer {
  readonly credits: number;
  readonly keyOwner: KeyOwner;
  /** ms */
  readonly fetchedAt: number;
}

export interface ToKeep extends Omit<Replay, 'body'> {
  /** Undefined: it must not be kept, or is too large. */
  readonly body: Buffer | undefined;
  /** Usage records, as they will be published. */
  readonly unpublished: readonly string[];
  readonly subjects: readonly string[];
}

export interface Claim {
  readonly tenant: TenantId;
  readonly key: string;
  readonly requestHash: string;
  readonly requestId: RequestId;
}

export type Claimed = { readonly is: 'mine' } | { readonly is: 'replay'; readonly replay: Replay; /** Left behind by a crash. */ readonly unpublished: readonly string[] };

/** A claim that nobody renews for so long is a dead process's: the next retry makes the call again. */
const LEASE_S = 6;
const RENEW_MS = 2_000;
const LOOK_AGAIN_MS = 100;
const KEPT_FOR = '24 hours';
/** By whoever made the answer; a charge that is still not on the bus then was left behind by a crash. */
const PUBLISHED_WITHIN_S = 10;

interface Row {
  request_hash: string;
  done_at: Date | null;
  request_id: string;
  status: number;
  content_type: string;
  body: Buffer | null;
  credits: number;
  key_owner: KeyOwner;
  fetched_at: Date;
  unpublished: string[] | null;
}

/**
 * What stands under a tenant's Idempotency-Keys, in the tenant's own schema.
 *
 *     (absent) ──claim──▶ running ──keep──▶ done, for a day
 *                           │  └──give up──▶ (absent)
 *                           └──lease ran out──▶ running, for a retry
 */
export class Replays {
  constructor(private readonly work: UnitOfWork) {}

  /**
   * Waits while another call under the key runs.
   *
   * @param until ms since the epoch
   * @throws AppError `idempotency-key-reused` (422), `idempotency-not-replayable`, `idempotency-in-progress` (409)
   */
  async claim(claim: Claim, until: number): Promise<Claimed> {
    for (;;) {
      const row = await this.work.inTenant(claim.tenant, (sql) => claimOrRead(sql, claim));
      if (row === undefined) return { is: 'mine' };
      if (row.request_hash !== claim.requestHash) throw idempotencyKeyReused();
      if (row.done_at !== null) {
        if (row.body === null) throw idempotencyNotReplayable(row.request_id, row.done_at.getTime());
        const { status, content_type: contentType, body, credits, key_owner: keyOwner, fetched_at, unpublished } = row;
        return { is: 'replay', replay: { status, contentType, body, credits, keyOwner, fetchedAt: fetched_at.getTime() }, unpublished: unpublished ?? [] };
      }
      if (Date.now() + LOOK_AGAIN_MS > until) throw idempotencyInProgress();
      await sleep(LOOK_AGAIN_MS);
    }
  }

  /** Until the answer is called for. */
  renewing(claim: Claim, onError: (error: Error) => void): () => void {
    const timer = setInterval(() => {
      const renewed = this.work.inTenant(claim.tenant, (sql) =>
        sql.query(`update call_replays set lease_until = now() + $4 * interval '1 s' where ${HELD}`, [...held(claim), LEASE_S]),
      );
      renewed.catch(onError);
    }, RENEW_MS).unref();
    return () => clearInterval(timer);
  }

  /** @returns false when another call has taken the key meanwhile: this one was taken for dead, and its answer is not the key's */
  async keep(claim: Claim, { status, contentType, body, credits, keyOwner, fetchedAt, unpublished, subjects }: ToKeep): Promise<boolean> {
    const { rowCount } = await this.work.inTenant(claim.tenant, async (sql) => {
      const erased = await anySuppressed(sql, claim.tenant, subjects);
      return sql.query(
        `update call_replays set done_at = now(), status = $4, content_type = $5, body = $6, credits = $7, key_owner = $8, fetched_at = $9,
                unpublished = $10, subjects = $11, expires_at = now() + interval '${KEPT_FOR}'
         where ${HELD}`,
        [
          ...[...held(claim), status, contentType, erased ? null : (body ?? null), credits, keyOwner, new Date(fetchedAt)],
          ...[unpublished.length === 0 ? null : JSON.stringify(unpublished), erased ? [] : subjects],
        ],
      );
    });
    return rowCount === 1;
  }

  async giveUp(claim: Claim): Promise<void> {
    await this.work.inTenant(claim.tenant, (sql) => sql.query(`delete from call_replays where ${HELD}`, held(claim)));
  }

  /** The bus has what was charged. */
  async published({ tenant, key }: Claim): Promise<void> {
    await this.work.inTenant(tenant, (sql) =>
      sql.query('update call_replays set unpublished = null where tenant_id = $1 and key = $2 and done_at is not null', [tenant, key]),
    );
  }
}

const HELD = 'tenant_id = $1 and key = $2 and request_id = $3 and done_at is null';
const held = ({ tenant, key, requestId }: Claim): unknown[] => [tenant, key, requestId];

/** Nothing: the key is the caller's now. Whoever claims takes a few that are over with it, so that the table does not grow for ever. */
async function claimOrRead(sql: Sql, { tenant, key, requestHash, requestId }: Claim): Promise<Row | undefined> {
  await sql.query(
    `delete from call_replays where tenant_id = $1 and key in (
       select key from call_replays where tenant_id = $1 and expires_at <= now() limit 20 for update skip locked)`,
    [tenant],
  );
  const { rowCount } = await sql.query(
    `insert into call_replays as r (tenant_id, key, request_hash, request_id, lease_until, expires_at)
     values ($1, $2, $3, $4, now() + $5 * interval '1 s', now() + interval '${KEPT_FOR}')
     on conflict (tenant_id, key) do update
       set request_id = excluded.request_id, lease_until = excluded.lease_until, expires_at = excluded.expires_at
       where r.done_at is null and r.lease_until <= now() and r.request_hash = excluded.request_hash`,
    [tenant, key, requestHash, requestId, LEASE_S],
  );
  if (rowCount === 1) return undefined;
  const { rows } = await sql.query<Row>(
    `select request_hash, done_at, request_id, status, content_type, body, credits, key_owner, fetched_at,
            case when done_at < now() - interval '${PUBLISHED_WITHIN_S} s' then unpublished end as unpublished
     from call_replays where tenant_id = $1 and key = $2`,
    [tenant, key],
  );
  // gone between the two: the next look takes it
  return rows[0] ?? { ...NOBODY, request_hash: requestHash };
}

const NOBODY = { done_at: null, request_id: '', status: 0, content_type: '', body: null, credits: 0, key_owner: 'platform', fetched_at: new Date(0), unpublished: null } as const;

import type { KeyId, TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';

export interface DueKey {
  readonly owner: TenantId;
  readonly keyId: KeyId;
  /** Of the schedule's entry: the same however often it is found. */
  readonly entry: string;
}

const BATCH = 100;
/** Longer than the signals' topic keeps its records. */
const INBOX_DAYS = 15;

interface Row {
  tenant_id: TenantId;
  key_id: KeyId;
  entry: string;
}

const toDue = ({ tenant_id, key_id, entry }: Row): DueKey => ({ owner: tenant_id, keyId: key_id, entry });

/** Keys with a version whose drain has ended, over all tenants. */
export async function drained(work: UnitOfWork, now: number, onError?: (error: Error) => void): Promise<DueKey[]> {
  const found = await work.inEveryControl((sql) =>
    sql.query<Row>(
      'select tenant_id, key_id, drain_until::text as entry from key_drains where drain_until <= $1 order by drain_until limit $2',
      [now, BATCH],
    ),
    onError,
  );
  return found.flatMap(({ rows }) => rows).map(toDue);
}

/**
 * Takes keys that are due to be looked at, and sets their next look: twice as far away, six hours at most. Of several
 * processes one takes each.
 */
export async function takeRechecks(work: UnitOfWork, recheckMs: number, onError?: (error: Error) => void): Promise<DueKey[]> {
  const found = await work.inEveryControl((sql) =>
    sql.query<Row>(
      `update key_rechecks r set tries = r.tries + 1, due_at = now() + least($1 * power(2, least(r.tries + 1, 20)), 21600000) * interval '1 ms'
       from (select tenant_id, key_id from key_rechecks where due_at <= now() order by due_at limit $2 for update skip locked) due
       where r.tenant_id = due.tenant_id and r.key_id = due.key_id
       returning r.tenant_id, r.key_id, (extract(epoch from r.due_at) * 1000)::bigint || '/' || r.tries as entry`,
      [recheckMs, BATCH],
    ),
    onError,
  );
  return found.flatMap(({ rows }) => rows).map(toDue);
}

export async function forgetOldSignals(work: UnitOfWork): Promise<void> {
  await work.inEveryControl((sql) => sql.query("delete from signal_inbox where at < now() - $1 * interval '1 day'", [INBOX_DAYS]));
}

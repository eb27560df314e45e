import type { UsageOf } from '@weir/contracts';
import { AppError, sleep, type TenantId } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import { unsettledOf } from './entry';
import type { UsageLedger } from './ledger';
import { rank } from './attempt-state';
import type { AttemptId } from './record-usage';

const BATCH = 500;
/** A tenant whose holds could not be looked at is left for that long, so that its own, the oldest by then, do not fill every look. */
const LEAVE_MS = 60_000;

const OVERDUE = `
  select tenant_id, request_id, attempt from open_holds
  where unsettled_at is null and seen_at < now() - $1 * interval '1 ms' and tenant_id <> all ($2)
  order by seen_at limit ${BATCH}`;

const HOLDS = `
  select e.event_id as "eventId", e.tenant_id as "tenantId", nullif(e.project_id, '') as "projectId", nullif(e.token_id, '') as "tokenId",
         e.request_id as "requestId", e.endpoint, e.price_version as "priceVersion", e.at::float8 as at, e.mode, e.attempt, e.purpose,
         e.key_id as "keyId", e.key_version as "keyVersion", e.key_mode as "keyMode", e.key_owner as "keyOwner", 'held' as kind,
         e.upstream_credits::float8 as "upstreamCredits", e.charged_credits::float8 as "chargedCredits"
  from (select distinct request_id, attempt from json_to_recordset($2::json) as o (request_id text, attempt int)) o
  cross join lateral (
    select * from usage_events e where e.tenant_id = $1 and e.request_id = o.request_id and e.attempt = o.attempt
    order by ${rank('e.kind')} desc nulls last limit 1) e
  where e.kind = $3`;

const FORGET = `
  delete from open_holds o using json_to_recordset($2::json) as h (request_id text, attempt int)
  where o.tenant_id = $1 and o.request_id = h.request_id and o.attempt = h.attempt`;

const isOf = ({ requestId, attempt }: UsageOf<'held'>, hold: AttemptId): boolean => requestId === hold.request_id && attempt === hold.attempt;

/**
 * Holds that nobody settled in time: whatever died after the hold was placed, the credit has a trace. They count as unsettled, on
 * record, until a settlement comes after all.
 */
export class UnsettledHolds {
  private readonly leftUntil = new Map<TenantId, number>();

  constructor(
    private readonly work: UnitOfWork,
    private readonly ledger: UsageLedger,
    private readonly afterMs: number,
    private readonly onError: (error: Error, tenant?: TenantId) => void,
  ) {}

  /** One look. @returns how many holds became unsettled */
  async find(): Promise<number> {
    const left = this.left();
    const overdue = await this.work.inEveryControl((sql) => sql.query<AttemptId & { tenant_id: TenantId }>(OVERDUE, [this.afterMs, left]), (error) => this.onError(error));
    let found = 0;
    for (const [tenant, holds] of Map.groupBy(overdue.flatMap(({ rows }) => rows), (row) => row.tenant_id)) {
      found += await this.declare(tenant, holds).catch((error: Error) => this.failed(error, tenant));
    }
    return found;
  }

  async run(everyMs: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const found = await this.find().catch((error: Error) => (this.onError(error), 0));
      if (found < BATCH) await sleep(everyMs, signal);
    }
  }

  private async declare(tenant: TenantId, overdue: readonly AttemptId[]): Promise<number> {
    const held = await this.work.inTenant(tenant, async (sql) => {
      const found = await readHolds(sql, tenant, overdue);
      // what the tenant's own tables know nothing of any more, as after a restore, waits for nothing
      await this.work.leaveTenant(sql);
      await sql.query(FORGET, [tenant, JSON.stringify(overdue.filter((hold) => !found.some((one) => isOf(one, hold))))]);
      return found;
    });
    return held.length === 0 ? 0 : this.ledger.record(tenant, held.map(unsettledOf));
  }

  private left(): TenantId[] {
    const now = performance.now();
    for (const [tenant, until] of this.leftUntil) if (until <= now) this.leftUntil.delete(tenant);
    return [...this.leftUntil.keys()];
  }

  /** A tenant that is gone took its holds with it; their place in the queue is cleared, and that is said. */
  private async failed(error: Error, tenant: TenantId): Promise<number> {
    this.onError(error, tenant);
    this.leftUntil.set(tenant, performance.now() + LEAVE_MS);
    if (error instanceof AppError && error.category === 'not-found') {
      await this.work.inEveryControl((sql) => sql.query('delete from open_holds where tenant_id = $1', [tenant]));
    }
    return 0;
  }
}

/** What was held for attempts that stand there: at `held`, or at `unsettled`, whose record bears the same credits. */
export async function readHolds(sql: Sql, tenant: TenantId, attempts: readonly AttemptId[], standing: 'held' | 'unsettled' = 'held'): Promise<UsageOf<'held'>[]> {
  const { rows } = await sql.query<UsageOf<'held'>>(HOLDS, [tenant, JSON.stringify(attempts), standing]);
  return rows;
}

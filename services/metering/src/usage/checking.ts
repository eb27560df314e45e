import { createHash } from 'node:crypto';
import { fact, sleep, utcDay, type Clock, type CommandContext, type TenantId } from '@weir/kernel';
import { patiently, type Sql, type UnitOfWork } from '@weir/tenancy';
import { replaceKeyUsage, type KeySums } from './key-usage';
import type { KeptMonths } from './kept-months';
import { ofItself, putOnRecord } from './on-record';
import { findDrift, rebuildSums, type Drifted } from './recount';
import { lockUsage } from './record-usage';

export interface Check {
  readonly tenantId: TenantId;
  /** UTC day from which on sums and records were compared. */
  readonly from: string;
  /** Rows that differ, on either side; 0 is as it should be. */
  readonly rows: number;
  /** The first of them. */
  readonly shown: readonly Drifted[];
}

export interface RollupChecksParts {
  readonly work: UnitOfWork;
  readonly clock: Clock;
  readonly kept: KeptMonths;
  readonly tenants: () => Iterable<TenantId>;
  readonly onChecked: (check: Check) => void;
  readonly onError: (error: Error, tenant: TenantId) => void;
}

const DAY_MS = 86_400_000;
/** A hundred million records are read in that time. */
const WITHIN_MS = 600_000;
/** What is looked at on schedule: what came before was looked at then, and late usage is never older than that without being an adjustment. */
const LOOKED_BACK_MS = 40 * DAY_MS;

/** Sums against their records: looked at on a schedule and on demand; made anew on demand alone. */
export class RollupChecks {
  constructor(private readonly parts: RollupChecksParts) {}

  async run(everyMs: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const tenant of this.parts.tenants()) {
        if (signal.aborted) return;
        await this.check(tenant, { from: utcDay(this.parts.clock() - LOOKED_BACK_MS) }).catch((error: Error) => this.parts.onError(error, tenant));
      }
      await sleep(everyMs, signal);
    }
  }

  /**
   * What differs is an event of the tenant's log, once, and in the metrics.
   *
   * @param from UTC day; all that is kept when unset
   * @param by who asked; metering itself, when unset
   */
  async check(tenantId: TenantId, { from, by }: { readonly from?: string; readonly by?: CommandContext } = {}): Promise<Check> {
    const { work, clock, onChecked } = this.parts;
    const check = await work.inTenant(tenantId, async (sql) => this.find(await patiently(sql, WITHIN_MS), tenantId, from));
    if (check.rows > 0) {
      const digest = createHash('sha256').update(JSON.stringify(check.shown)).digest('hex').slice(0, 16);
      const tables = [...new Set(check.shown.map(({ table }) => table))];
      const event = fact('usage.drift-found', { from: check.from, rows: check.rows, tables });
      const context = { ...(by ?? ofItself('check of sums', '', clock())), commandId: `${event.type}/${check.from}/${digest}` };
      await work.inTenant(tenantId, (sql) => putOnRecord(sql, tenantId, event, context));
    }
    onChecked(check);
    return check;
  }

  /** Makes the sums of open months anew from the records; those of closed ones are what was invoiced, and stay. @returns what differed before */
  async rebuild(tenantId: TenantId, by: CommandContext): Promise<Check> {
    const { work, onChecked } = this.parts;
    const check = await work.inTenant(tenantId, async (sql) => {
      await lockUsage(sql, tenantId);
      const patient = await patiently(sql, WITHIN_MS);
      const { rows } = await sql.query<{ from: string | null }>(`select to_char(open_from, 'YYYY-MM-DD') as from from books where tenant_id = $1`, [tenantId]);
      const before = await this.find(patient, tenantId, rows[0]?.from ?? undefined);
      const keys = await rebuildSums<KeySums>(patient, tenantId, { from: before.from, keptFrom: this.parts.kept.wholeFrom() });
      await putOnRecord(sql, tenantId, fact('usage.rebuilt', { from: before.from, rows: before.rows }), by);
      await work.leaveTenant(sql);
      await replaceKeyUsage(sql, tenantId, before.from, keys);
      return before;
    });
    onChecked({ ...check, rows: 0, shown: [] });
    return check;
  }

  private async find(sql: Sql, tenantId: TenantId, asked: string | undefined): Promise<Check> {
    const keptFrom = this.parts.kept.wholeFrom();
    const from = asked === undefined || asked < keptFrom ? keptFrom : asked;
    return { tenantId, from, ...(await findDrift(sql, tenantId, { from, keptFrom })) };
  }
}

import { sleep, type TenantId } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import { floorOf } from './event-time';
import type { KeptMonths } from './kept-months';

export interface UpkeepParts {
  readonly work: UnitOfWork;
  readonly kept: KeptMonths;
  /** Rows from which on a tenant's own table is partitioned. */
  readonly largeRows: number;
  readonly tenants: () => Iterable<TenantId>;
  readonly onError: (error: Error) => void;
}

export interface Kept {
  /** Partitions made and dropped, and rows deleted where there are none. */
  made: number;
  dropped: number;
  deleted: number;
}

const BATCH = 10_000;

const DELETE = `
  delete from usage_events where tenant_id = $1 and event_id in (select event_id from usage_events where tenant_id = $1 and event_id < $2 order by event_id limit ${BATCH})`;

/** Partitions for the months to come, and records whose months are over taken away: whole partitions, or rows where there are none. */
export class UsageUpkeep {
  constructor(private readonly parts: UpkeepParts) {}

  async run(everyMs: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.once(signal).catch(this.parts.onError);
      await sleep(everyMs, signal);
    }
  }

  async once(signal: AbortSignal = new AbortController().signal): Promise<Kept> {
    const { work, tenants } = this.parts;
    // lines of the upstream's account go with the records that they were compared with
    await work.inControl((sql) => sql.query('delete from statement_lines where at < $1::date', [this.parts.kept.from()]));
    const kept: Kept = { made: 0, dropped: 0, deleted: 0 };
    const partitioned = await this.homes(kept);
    for (const tenant of tenants()) {
      if (signal.aborted) break;
      kept.deleted += await work
        .inTenant(tenant, (sql) => this.deleteOf(sql, tenant, partitioned))
        .catch((error: Error) => (this.parts.onError(error), 0));
    }
    return kept;
  }

  /** @returns schemas whose table is partitioned; in every database one each */
  private async homes(kept: Kept): Promise<Set<string>> {
    const { work, largeRows, onError } = this.parts;
    const partitioned = new Set<string>();
    const large = await work.inEveryControl(async (sql) => {
      const { rows } = await sql.query<{ home: string }>('select home from weir_metering.usage_homes($1)', [largeRows]);
      return rows.map(({ home }) => home);
    });
    for (const home of new Set(large.flat())) {
      // a transaction each: locks of one are not held while another is waited for
      await work
        .inEveryControl(async (sql) => {
          const there = await sql.query('select from weir_metering.usage_homes($2) where home = $1', [home, largeRows]);
          if (there.rows.length === 0) return;
          const { rows } = await sql.query<{ made: number; dropped: number }>('select made, dropped from weir_metering.keep_usage_events($1, $2)', [home, this.parts.kept.from()]);
          kept.made += rows[0]?.made ?? 0;
          kept.dropped += rows[0]?.dropped ?? 0;
          partitioned.add(home);
        })
        .catch(onError);
    }
    return partitioned;
  }

  private async deleteOf(sql: Sql, tenant: TenantId, partitioned: ReadonlySet<string>): Promise<number> {
    const { rows } = await sql.query<{ home: string }>('select current_schema() as home');
    if (partitioned.has(rows[0]?.home ?? '')) return 0;
    const result = (await sql.query(DELETE, [tenant, floorOf(Date.parse(this.parts.kept.from()))])) as { rowCount?: number | null };
    return result.rowCount ?? 0;
  }
}

import { PLATFORM, type Clock, type TenantId } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import { sayStanding } from '../standing/standing';
import type { Entry } from './entry';
import { addKeyUsage } from './key-usage';
import { batchOf, recordUsage } from './record-usage';

/** The one way in which anything is counted. */
export class UsageLedger {
  constructor(
    private readonly work: UnitOfWork,
    private readonly clock: Clock,
  ) {}

  /**
   * Counts entries of one tenant in one transaction: the tenant's tables, what its quota is now, the sums over all tenants.
   *
   * @param alongside what is written into the tenant's schema with them, if any was new
   * @returns how many were new
   * @throws AppError `not-found` for a tenant without a schema
   */
  record(tenant: TenantId, entries: readonly Entry[], alongside?: (sql: Sql) => Promise<void>): Promise<number> {
    const batch = batchOf(entries, this.clock());
    return this.work.inTenant(tenant, async (sql) => {
      const counted = await recordUsage(sql, tenant, batch);
      if (counted.recorded > 0) await alongside?.(sql);
      if (tenant !== PLATFORM) await sayStanding(sql, tenant, this.clock());
      await this.work.leaveTenant(sql);
      await addKeyUsage(sql, tenant, counted);
      return counted.recorded;
    });
  }
}

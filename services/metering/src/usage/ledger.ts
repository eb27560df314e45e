import { PLATFORM, type Clock, type TenantId } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import { sayBudgets } from '../budget/budget-watch';
import { sayQuota } from '../quota/quota';
import type { Entry } from './entry';
import { addKeyUsage } from './key-usage';
import { recordUsage } from './record-usage';

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
    return this.work.inTenant(tenant, async (sql) => {
      const counted = await recordUsage(sql, tenant, entries, this.clock());
      if (counted.recorded > 0) await alongside?.(sql);
      if (tenant !== PLATFORM) {
        await sayQuota(sql, tenant, this.clock());
        await sayBudgets(sql, tenant, this.clock());
      }
      await this.work.leaveTenant(sql);
      await addKeyUsage(sql, tenant, counted);
      return counted.recorded;
    });
  }
}

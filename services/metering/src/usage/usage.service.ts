import type { TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { readCharge } from './charge';
import { chargedRecord, explainCall, readRecords, type CallView } from './call';
import { added, readDifferences, type Differences } from './differences';
import { merged, readReport, totalOf, type ReportQuery, type ReportRow, type Sums } from './report';

export interface UsageReport extends ReportQuery {
  readonly data: readonly ReportRow[];
  readonly totals: Sums;
}

export class UsageService {
  constructor(private readonly work: UnitOfWork) {}

  async ofTenant(tenant: TenantId, query: ReportQuery): Promise<UsageReport> {
    const table = query.groupBy.includes('hour') ? 'usage_hourly' : 'usage_daily';
    const data = await this.work.inTenant(tenant, (sql) => readReport(sql, table, query));
    return { ...query, data, totals: totalOf(data) };
  }

  /** Over all tenants; per key, `upstreamCredits + unsettledCredits` is the sum of the upstream's own ledger. */
  async ofAll(query: ReportQuery): Promise<UsageReport & { differences: Differences }> {
    const everywhere = await this.work.inEveryControl(async (sql) => ({
      data: await readReport(sql, 'key_usage', query),
      differences: await readDifferences(sql, query),
    }));
    const data = merged(everywhere.map((one) => one.data), query);
    return { ...query, data, totals: totalOf(data), differences: added(everywhere.map((one) => one.differences)) };
  }

  /** @throws AppError `not-found` */
  async call(tenant: TenantId, requestId: string): Promise<CallView> {
    return this.work.inTenant(tenant, async (sql) => {
      const records = await readRecords(sql, tenant, requestId);
      const charged = chargedRecord(records);
      return explainCall(requestId, records, charged === undefined ? null : await readCharge(sql, tenant, charged));
    });
  }
}

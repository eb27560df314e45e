import type { TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { invoiceOfCharge } from '../invoice/invoice-of-charge';
import { chargeOf } from './charge';
import { explainCall, readRecords, type CallView } from './call';
import { differencesOf, marginsOf, readClasses, type Differences, type MarginRow } from './margin';
import { readReport, totalOf, type ReportQuery, type ReportRow, type Sums } from './report';

export interface UsageReport extends ReportQuery {
  readonly data: readonly ReportRow[];
  readonly totals: Sums;
}

export interface MarginReport extends UsageReport {
  readonly data: readonly MarginRow[];
  readonly differences: Differences;
}

export class UsageService {
  constructor(private readonly work: UnitOfWork) {}

  async ofTenant(tenant: TenantId, query: ReportQuery): Promise<UsageReport> {
    const table = query.groupBy.includes('hour') ? 'usage_hourly' : 'usage_daily';
    const data = await this.work.inTenant(tenant, (sql) => readReport(sql, table, query));
    return { ...query, data, totals: totalOf(data) };
  }

  /** Over all tenants, with the margin; per key, `upstreamCredits + unsettledCredits` is the sum of the upstream's own ledger. */
  async ofAll(query: ReportQuery): Promise<MarginReport> {
    const databases = await this.work.inEveryControl((sql) => readClasses(sql, query));
    const data = marginsOf(databases, query);
    return { ...query, data, totals: totalOf(data), differences: differencesOf(databases.flat()) };
  }

  /** @throws AppError `not-found` */
  async call(tenant: TenantId, requestId: string): Promise<CallView> {
    return this.work.inTenant(tenant, async (sql) => {
      const records = await readRecords(sql, tenant, requestId);
      const charge = chargeOf(records);
      const invoice = charge === null ? undefined : await invoiceOfCharge(sql, tenant, charge);
      return explainCall(requestId, records, charge, invoice ?? null);
    });
  }
}

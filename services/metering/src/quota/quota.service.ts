import type { StateTable } from '@weir/access';
import type { LimitPolicyState } from '@weir/contracts';
import type { Clock, TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import type { BillingService } from '../billing/billing.service';
import { endOfDay, endOfMonth } from '../period';
import { readStanding } from '../standing/standing';

export interface Allowance {
  /** The UTC day or month. */
  readonly period: string;
  readonly usedCredits: number;
  /** null is no quota. */
  readonly limitCredits: number | null;
  readonly remainingCredits: number | null;
  /** Where the limit comes from. */
  readonly source: 'plan' | 'override';
  /** RFC 3339 */
  readonly resetsAt: string;
}

export interface QuotaView {
  readonly tenantId: string;
  readonly day: Allowance;
  readonly month: Allowance;
}

export class QuotaService {
  constructor(
    private readonly work: UnitOfWork,
    private readonly billing: BillingService,
    private readonly policies: StateTable<LimitPolicyState>,
    private readonly clock: Clock,
  ) {}

  async get(tenantId: TenantId): Promise<QuotaView> {
    const now = this.clock();
    const { quota: used } = await this.work.inTenant(tenantId, (sql) => readStanding(sql, tenantId, now));
    const { dailyCredits, monthlyCredits } = this.billing.planOf(tenantId).terms;
    return {
      tenantId,
      day: allowance(used.day, used.dayCredits, this.limit(tenantId, 'daily-quota', dailyCredits, now), endOfDay(used.day)),
      month: allowance(
        used.month,
        used.monthCredits,
        this.limit(tenantId, 'monthly-quota', monthlyCredits, now),
        endOfMonth(used.month),
      ),
    };
  }

  private limit(tenant: TenantId, name: 'daily-quota' | 'monthly-quota', ofPlan: number | null, now: number): Limit {
    const override = this.policies
      .get(tenant)
      ?.overrides.find((each) => each.name === name && (each.expiresAt === null || each.expiresAt > now));
    return override === undefined ? { credits: ofPlan, source: 'plan' } : { credits: override.limit, source: 'override' };
  }
}

interface Limit {
  readonly credits: number | null;
  readonly source: Allowance['source'];
}

const allowance = (period: string, usedCredits: number, { credits, source }: Limit, resetsAt: string): Allowance => ({
  period,
  usedCredits,
  limitCredits: credits,
  remainingCredits: credits === null ? null : Math.max(0, credits - usedCredits),
  source,
  resetsAt,
});

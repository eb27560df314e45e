import type { PlanRef } from '@weir/contracts';
import type { TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import type { BillingTerms } from '../billing/billing';
import type { BillingService } from '../billing/billing.service';
import { daysOf } from '../period';
import { priceMonth, type PricedInvoice } from './invoice';

/** What a month costs by what is known now: nothing is closed, nothing is kept. */
export interface InvoicePreview extends PricedInvoice {
  readonly tenantId: string;
  readonly period: string;
  readonly status: 'preview';
  readonly plan: PlanRef;
  readonly model: BillingTerms['model'];
  /** Whether the plan or an exception prices the month. */
  readonly source: 'plan' | 'exception';
  /** Σ chargedCredits of live calls: the quantity of the lines of credits. */
  readonly chargedCredits: number;
  readonly seats: number;
}

const QUANTITIES = `
  select (select coalesce(sum(charged_credits), 0) from usage_daily
          where tenant_id = $1 and mode = 'live' and day >= $2::date and day < $3::date)::text as credits,
         (select count(*) from seats where tenant_id = $1 and taken)::text as seats`;

export class InvoiceService {
  constructor(
    private readonly work: UnitOfWork,
    private readonly billing: BillingService,
  ) {}

  /** @param period a UTC month, `2026-11`; seats are those taken now */
  async preview(tenantId: TenantId, period: string): Promise<InvoicePreview> {
    const { credits, seats } = await this.quantities(tenantId, period);
    const { plan, source, terms } = await this.billing.termsFor(tenantId, period);
    const priced = priceMonth(terms, { credits, seats });
    return {
      tenantId,
      period,
      status: 'preview',
      plan,
      model: terms.model,
      source,
      chargedCredits: Number(credits),
      seats: Number(seats),
      ...priced,
    };
  }

  private async quantities(tenant: TenantId, period: string): Promise<{ credits: bigint; seats: bigint }> {
    const { from, before } = daysOf(period);
    const { rows } = await this.work.inTenant(tenant, (sql) =>
      sql.query<{ credits: string; seats: string }>(QUANTITIES, [tenant, from, before]),
    );
    return { credits: BigInt(rows[0]?.credits ?? 0), seats: BigInt(rows[0]?.seats ?? 0) };
  }
}

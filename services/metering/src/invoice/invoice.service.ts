import type { InvoiceLine, PlanRef } from '@weir/contracts';
import type { EntitySql } from '@weir/entities';
import type { TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import type { BillingTerms } from '../billing/billing';
import type { BillingService, Prices } from '../billing/billing.service';
import { exactly, fromMinor, minorOf, total } from '../billing/money';
import { mixedCurrencies } from '../errors';
import { dayBefore, daysOf } from '../period';
import type { Priced } from './invoicing';
import { adjustmentOf, adjustmentsIn, countDays, countSeats, planChanges, type Adjustment } from './month';
import { priceSegment, type Quantities } from './pricing';
import { segmentsOf, type Segment } from './segments';

/** What a month costs by what is known now: nothing is closed, nothing is kept. */
export interface InvoicePreview extends Priced {
  readonly tenantId: string;
  readonly status: 'preview';
  /** Of the month's last day. */
  readonly plan: PlanRef;
  readonly model: BillingTerms['model'];
  /** Whether the plan or an exception prices the month. */
  readonly source: 'plan' | 'exception';
}

interface Counted extends Segment {
  readonly quantities: Quantities;
}

interface Month {
  readonly segments: readonly Counted[];
  readonly seats: bigint;
  readonly adjustments: readonly Adjustment[];
}

export class InvoiceService {
  constructor(
    private readonly work: UnitOfWork<EntitySql>,
    private readonly billing: BillingService,
  ) {}

  /** @param period a UTC month, `2026-11` */
  async preview(tenant: TenantId, period: string): Promise<InvoicePreview> {
    const month = await this.count(tenant, period);
    const last = month.segments.at(-1);
    const plan = last?.plan ?? this.billing.planOf(tenant).ref;
    const prices = await this.billing.pricesOf(tenant);
    const { source, terms } = prices(period, plan);
    return { tenantId: tenant, status: 'preview', plan, model: terms.model, source, ...(await this.priced(tenant, period, month, prices)) };
  }

  /**
   * Prices a month by what is counted now: each day by the plan that held, and what came of closed months since their invoices.
   *
   * @throws AppError `stale-state` while one of the month's plans has not been heard of; `mixed-currencies`
   */
  async price(tenant: TenantId, period: string): Promise<Priced> {
    return this.priced(tenant, period, await this.count(tenant, period), await this.billing.pricesOf(tenant));
  }

  private async priced(tenant: TenantId, period: string, { segments, seats, adjustments }: Month, prices: Prices): Promise<Priced> {
    const lines = segments.flatMap((segment) => priceSegment(prices(period, segment.plan).terms, segment, segment.quantities));
    const adjusted = await Promise.all(adjustments.map((adjustment) => this.adjustmentLine(tenant, period, adjustment, prices)));
    const all = [...lines, ...adjusted];
    const currencies = [...new Set(all.map(({ amount }) => amount.currency))];
    if (currencies.length > 1) throw mixedCurrencies(currencies);
    const currency = currencies[0] ?? prices(period, this.billing.planOf(tenant).ref).terms.perCredit.currency;
    const credits = all.filter(({ item }) => item.startsWith('credits')).reduce((sum, { quantity }) => sum + BigInt(quantity), 0n);
    return {
      period,
      currency,
      lines: all,
      total: total(
        all.map(({ amount }) => amount),
        currency,
      ),
      chargedCredits: Number(credits),
      seats: Number(seats),
    };
  }

  /** What the closed month would have cost more, had they been counted in its last days. */
  private async adjustmentLine(tenant: TenantId, period: string, { month, credits, earlier }: Adjustment, prices: Prices): Promise<InvoiceLine> {
    const closed = await this.count(tenant, month);
    const last = closed.segments.at(-1);
    const { from, before } = daysOf(period);
    const plan = last?.plan ?? this.billing.planOf(tenant).ref;
    const { terms } = prices(month, plan);
    const ofMonth = last ?? (segmentsOf(month, [], plan)[0] as Segment);
    const counted = last?.quantities ?? { credits: 0n, seats: 0n, profiles: 0n };
    const cost = (more: bigint) =>
      priceSegment(terms, ofMonth, { ...counted, credits: counted.credits + more })
        .filter(({ item }) => item === 'credits')
        .reduce((sum, { amount }) => sum + minorOf(amount), 0n);
    const { currency } = terms.perCredit;
    return {
      item: 'credits-adjustment',
      description: adjustmentOf(month),
      from,
      to: dayBefore(before),
      quantity: credits.toString(),
      unitPrice: { amount: exactly(terms.perCredit.amount).toFixed(), currency },
      per: terms.creditsPerUnit ?? 1,
      share: null,
      amount: fromMinor(cost(earlier + credits) - cost(earlier), currency),
    };
  }

  private async count(tenant: TenantId, period: string): Promise<Month> {
    return this.work.inTenant(tenant, async (sql) => {
      const changes = await planChanges(sql, tenant);
      const segments = segmentsOf(period, changes, this.billing.planOf(tenant).ref);
      const counted: Counted[] = [];
      // what was counted before the first plan was heard of is priced by it: no credit falls between two days
      const begin = (index: number, from: string) => (index === 0 ? daysOf(period).from : from);
      for (const [index, segment] of segments.entries())
        counted.push({ ...segment, quantities: await countDays(sql, tenant, { from: begin(index, segment.from), to: segment.to }) });
      const [first, last] = [segments[0], segments.at(-1)];
      const seats = first === undefined || last === undefined ? 0n : await countSeats(sql, tenant, { from: first.from, to: last.to });
      return { segments: counted, seats, adjustments: await adjustmentsIn(sql, tenant, period) };
    });
  }
}

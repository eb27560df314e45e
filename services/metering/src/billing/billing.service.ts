import type { StateTable } from '@weir/access';
import { staleState } from '@weir/access';
import type { BillingEvent, BillingException, PlanRef, PlanState, PlanTerms, TenantState } from '@weir/contracts';
import type { EntitySql } from '@weir/entities';
import type { EventLog } from '@weir/event-store';
import { utcMonth, type Clock, type CommandContext, type TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { billing, setException, termsFor, type Billing, type TermsInForce } from './billing';
import { PriceExceptionRow } from './read-model';

const STREAM = 'billing';

export interface BillingView extends TermsInForce {
  readonly plan: PlanRef;
  /** The month that the terms are of: the current one. */
  readonly period: string;
  readonly exceptions: readonly BillingException[];
  readonly version: number;
}

/** @throws AppError `stale-state` while the plan has not been heard of */
export type Prices = (month: string, plan: PlanRef) => TermsInForce;

export class BillingService {
  constructor(
    private readonly events: EventLog<EntitySql>,
    private readonly work: UnitOfWork<EntitySql>,
    private readonly tenants: StateTable<TenantState>,
    private readonly plans: StateTable<PlanState>,
    private readonly clock: Clock,
  ) {}

  async get(tenant: TenantId): Promise<BillingView> {
    const { state, version } = await this.load(tenant);
    return this.view(tenant, state, version);
  }

  async set(
    tenant: TenantId,
    exception: BillingException,
    context: CommandContext,
    ifVersion: number | undefined,
  ): Promise<BillingView> {
    const { state, version } = await this.events.decide<Billing, BillingEvent>({
      tenant,
      stream: STREAM,
      aggregate: billing,
      decide: setException(exception),
      context,
      ifVersion,
      also: async (sql, { events: set, version: last }) => {
        const rows = set.map(({ data }, index) => rowOf(tenant, last - set.length + 1 + index, data));
        if (rows.length > 0) await sql.manager.insert(PriceExceptionRow, rows);
      },
    });
    return this.view(tenant, state, version);
  }

  /** By month and by a plan that the tenant is or was on; an exception for the month comes before the plan. */
  async pricesOf(tenant: TenantId): Promise<Prices> {
    const { state } = await this.load(tenant);
    return (month, { id, version }) => {
      const plan = this.plans.get(`${id}@${version}`);
      if (plan === undefined) throw staleState('A plan of that month is not known here yet. Try again in a moment.');
      return termsFor(month, state, plan.terms);
    };
  }

  /** The version of the plan that the tenant is on, as the state topics tell it. */
  planOf(tenant: TenantId): { ref: PlanRef; terms: PlanTerms } {
    const ref = this.tenants.get(tenant)?.plan;
    const plan = ref === undefined ? undefined : this.plans.get(`${ref.id}@${ref.version}`);
    if (ref === undefined || plan === undefined)
      throw staleState('The plan of the tenant is not known here yet. Try again in a moment.');
    return { ref, terms: plan.terms };
  }

  private async load(tenant: TenantId): Promise<{ state: Billing; version: number }> {
    const rows = await this.work.inTenant(tenant, (sql) => sql.manager.find(PriceExceptionRow, { where: { tenantId: tenant }, order: { agreed: 'ASC' } }));
    return { state: { exceptions: rows.map(({ fromMonth, untilMonth, terms }) => ({ ...terms, from: fromMonth, until: untilMonth })) }, version: rows.at(-1)?.agreed ?? 0 };
  }

  private view(tenant: TenantId, state: Billing, version: number): BillingView {
    const { ref, terms } = this.planOf(tenant);
    const period = utcMonth(this.clock());
    return { plan: ref, period, ...termsFor(period, state, terms), exceptions: state.exceptions, version };
  }
}

const rowOf = (tenantId: TenantId, agreed: number, { from, until, ...terms }: BillingException): PriceExceptionRow => ({ tenantId, agreed, fromMonth: from, untilMonth: until, terms });

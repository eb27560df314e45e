import { staleState, type StateTable } from '@weir/access';
import {
  stateTopic,
  type BudgetState,
  type LimitName,
  type LimitOverride,
  type LimitPolicyEvent,
  type LimitPolicyState,
  type PlanState,
  type PlanTerms,
  type QuotaState,
  type TenantState,
} from '@weir/contracts';
import type { EventLog } from '@weir/event-store';
import type { Clock, CommandContext, Decide, ProjectId, TenantId } from '@weir/kernel';
import { activeOverrides, budgetLimits, ledgerOf, names, shadowOf, tenantPolicies, tightestBudgets, type LimiterStore, type Standing, type TenantLimits } from '@weir/limiter';
import type { DemandProjection } from '../demand/demand.projection';
import { bucketTooSlow, tenantNotFound } from '../errors';
import type { KeysSeen } from '../key-ceiling/keys-seen';
import type { LimitNames } from './limit-names';
import { limitPolicy, removeOverride, setOverride, type LimitPolicy } from './limit-policy';
import { limitView, type LimitView } from './limit-view';

/** Looking takes no slot; the lease only has to be one that the limiter accepts. */
const LEASE_MS = 60_000;
const HOUR_MS = 3_600_000;

export interface LimitTables {
  readonly tenants: StateTable<TenantState>;
  readonly plans: StateTable<PlanState>;
  readonly quotas: StateTable<QuotaState>;
  readonly budgets: StateTable<BudgetState>;
}

export class LimitPolicyService {
  constructor(
    private readonly events: EventLog,
    private readonly tables: LimitTables,
    private readonly limiter: LimiterStore,
    private readonly keys: KeysSeen,
    private readonly there: LimitNames,
    private readonly demand: DemandProjection,
    private readonly clock: Clock,
  ) {}

  /** Each limit of a tenant with its use now, those in the shadow and those of the keys it calls with; the version is that of its overrides. */
  async limits(id: TenantId, project: ProjectId | undefined): Promise<{ limits: LimitView[]; version: number }> {
    const { tenant, terms } = this.planOf(id);
    const { state, version } = await this.events.load(id, stream(id), limitPolicy);
    const now = this.clock();
    const overrides = activeOverrides([...state.values()], now);
    const { enforced, shadow } = tenantPolicies({ terms, overrides, endpoints: this.there.endpoints, leaseMs: LEASE_MS, now });
    const counted = project ?? tenant.defaultProject;
    const budgets = this.tables.budgets.get(id)?.budgets ?? [];
    const [inForce, inShadow, ofKeys, shadowed] = await Promise.all([
      this.standings(id, counted, { ...enforced, budgets: budgetLimits(budgets, counted) }),
      shadow === undefined ? [] : this.standings(id, shadowOf(counted), shadow),
      this.keys.ofTenant(tenant),
      shadow === undefined ? {} : this.demand.shadowOf(id, now - HOUR_MS),
    ]);
    const of = { plan: tenant.plan, overrides, budgets: tightestBudgets(budgets, counted), shadowed, now };
    const views = (mode: LimitView['mode'], seen: readonly Seen[]) =>
      seen.map(({ standing, endpoint }) => limitView(standing, { ...of, mode }, endpoint));
    return { limits: [...views('enforced', inForce), ...ofKeys, ...views('shadow', inShadow)], version };
  }

  private async standings(tenant: TenantId, project: string, limits: TenantLimits): Promise<readonly Seen[]> {
    const ledger = ledgerOf(this.tables.quotas.get(tenant), this.tables.budgets.get(tenant), this.clock());
    const look = (endpoint: string) =>
      this.limiter.inspectTenant({ tenant, project, endpoint, limits, ledger });
    const endpoints = Object.keys(limits.endpointBuckets ?? {});
    const [general, ...ofEndpoints] = await Promise.all(['', ...endpoints].map(look));
    const bucketOf = (endpoint: string, standings: readonly Standing[]) =>
      standings.filter(({ name }) => name === 'endpoint-bucket').map((standing) => ({ standing, endpoint }));
    return [
      ...(general ?? []).map((standing) => ({ standing })),
      ...endpoints.flatMap((endpoint, i) => bucketOf(endpoint, ofEndpoints[i] ?? [])),
    ];
  }

  async set(id: TenantId, override: LimitOverride, context: CommandContext, ifVersion: number | undefined): Promise<{ version: number }> {
    this.assertFills(override, this.planOf(id).terms, context.at);
    return this.decide(id, setOverride(override, context.at, this.there), context, ifVersion);
  }

  /** @param shadow which of the two under that name; undefined: both */
  async remove(
    id: TenantId,
    name: string,
    shadow: boolean | undefined,
    context: CommandContext,
    ifVersion: number | undefined,
  ): Promise<void> {
    await this.decide(id, removeOverride(name, shadow), context, ifVersion);
  }

  private decide(
    id: TenantId,
    decision: Decide<LimitPolicy, LimitPolicyEvent>,
    context: CommandContext,
    ifVersion: number | undefined,
  ) {
    return this.events.decide({
      tenant: id,
      stream: stream(id),
      aggregate: limitPolicy,
      decide: decision,
      context,
      ifVersion,
      states: (state) => [{ topic: stateTopic('limit-policy'), key: id, body: toState(id, state, context.at) }],
    });
  }

  /** A bucket that the limiter would cut to its bounds is refused here, where somebody can answer. */
  private assertFills(override: LimitOverride, terms: PlanTerms, now: number): void {
    if (override.limit === null) return;
    const alone = [{ ...override, expiresAt: null, shadow: false }];
    const { bucket, endpointBuckets = {} } = tenantPolicies({ terms, overrides: alone, endpoints: this.there.endpoints, leaseMs: LEASE_MS, now }).enforced;
    const buckets: [LimitName, number][] = [
      ...(bucket === undefined ? [] : [['tenant-bucket', bucket.capacity] satisfies [LimitName, number]]),
      ...Object.entries(endpointBuckets).map(([id, one]): [LimitName, number] => [`endpoint:${id}`, one.capacity]),
    ];
    for (const [name, capacity] of buckets) if (names(override.name, name) && capacity < override.limit) throw bucketTooSlow(capacity);
  }

  private planOf(id: TenantId): { tenant: TenantState; terms: PlanTerms } {
    const tenant = this.tables.tenants.get(id);
    if (tenant === undefined) throw tenantNotFound();
    const plan = this.tables.plans.get(`${tenant.plan.id}@${tenant.plan.version}`);
    if (plan === undefined) throw staleState("The terms of the tenant's plan are not known here yet.");
    return { tenant, terms: plan.terms };
  }
}

/** A standing, and of which endpoint where it is one's bucket. */
interface Seen {
  readonly standing: Standing;
  readonly endpoint?: string;
}

const stream = (id: TenantId) => `limit-policy/${id}`;

/** Those that have ended by now are left out: every reader would skip them. */
const toState = (tenantId: TenantId, state: LimitPolicy, at: number): LimitPolicyState => ({
  tenantId,
  overrides: [...activeOverrides([...state.values()], at)],
});

import type { StateTable } from '@weir/access';
import {
  stateTopic,
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
import { activeOverrides, tenantLimits, type LimiterStore } from '@weir/limiter';
import { staleState } from '@weir/access';
import { bucketTooSlow, tenantNotFound } from '../errors';
import { limitPolicy, removeOverride, setOverride, type LimitPolicy } from './limit-policy';
import { limitView, type LimitView } from './limit-view';

/** Looking takes no slot; the lease only has to be one that the limiter accepts. */
const LEASE_MS = 60_000;

export interface LimitTables {
  readonly tenants: StateTable<TenantState>;
  readonly plans: StateTable<PlanState>;
  readonly quotas: StateTable<QuotaState>;
}

export class LimitPolicyService {
  constructor(
    private readonly events: EventLog,
    private readonly tables: LimitTables,
    private readonly limiter: LimiterStore,
    private readonly clock: Clock,
  ) {}

  /** Each limit of a tenant with its use now; the version is that of its overrides. */
  async limits(id: TenantId, project: ProjectId | undefined): Promise<{ limits: LimitView[]; version: number }> {
    const { tenant, terms } = this.planOf(id);
    const { state, version } = await this.events.load(id, stream(id), limitPolicy);
    const now = this.clock();
    const overrides = activeOverrides([...state.values()], now);
    const limits = tenantLimits({ terms, overrides: [...overrides.values()], leaseMs: LEASE_MS, now });
    const look = (endpoint: string) =>
      this.limiter.inspectTenant({
        tenant: id,
        project: project ?? tenant.defaultProject,
        endpoint,
        limits,
        ledger: this.tables.quotas.get(id),
      });

    const general = await look('');
    const endpoints = Object.keys(limits.endpointBuckets ?? {});
    const ofEndpoints = await Promise.all(
      endpoints.map(async (endpoint) => (await look(endpoint)).filter(({ name }) => name === 'endpoint-bucket')),
    );
    const of = { plan: tenant.plan, overrides, now };
    return {
      limits: [
        ...general.map((standing) => limitView(standing, of)),
        ...ofEndpoints.flatMap((standings, i) =>
          standings.map((standing) => limitView(standing, { ...of, endpoint: endpoints[i] ?? '' })),
        ),
      ],
      version,
    };
  }

  async set(
    id: TenantId,
    override: LimitOverride,
    context: CommandContext,
    ifVersion: number | undefined,
  ): Promise<{ override: LimitOverride; version: number }> {
    if (override.name === 'tenant-bucket') assertFills(override, this.planOf(id).terms, context.at);
    const { version } = await this.decide(id, setOverride(override, context.at), context, ifVersion);
    return { override, version };
  }

  async remove(id: TenantId, name: LimitName, context: CommandContext, ifVersion: number | undefined): Promise<void> {
    await this.decide(id, removeOverride(name), context, ifVersion);
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

  private planOf(id: TenantId): { tenant: TenantState; terms: PlanTerms } {
    const tenant = this.tables.tenants.get(id);
    if (tenant === undefined) throw tenantNotFound();
    const plan = this.tables.plans.get(`${tenant.plan.id}@${tenant.plan.version}`);
    if (plan === undefined) throw staleState("The terms of the tenant's plan are not known here yet.");
    return { tenant, terms: plan.terms };
  }
}

const stream = (id: TenantId) => `limit-policy/${id}`;

/** Those that have ended by now are left out: every reader would skip them. */
const toState = (tenantId: TenantId, state: LimitPolicy, at: number): LimitPolicyState => ({
  tenantId,
  overrides: [...activeOverrides([...state.values()], at).values()],
});

/** A bucket that the limiter would cut to its bounds is refused here, where somebody can answer. */
function assertFills(override: LimitOverride, terms: PlanTerms, now: number): void {
  const { capacity } = tenantLimits({ terms, overrides: [{ ...override, expiresAt: null }], leaseMs: LEASE_MS, now }).bucket;
  if (capacity < override.limit) throw bucketTooSlow(capacity);
}

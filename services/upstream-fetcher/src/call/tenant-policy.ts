import type { BudgetUse, LimitOverride, PlanTerms } from '@weir/contracts';
import type { Clock } from '@weir/kernel';
import { budgetLimits, tenantPolicies, type TenantLimits, type TenantPolicies } from '@weir/limiter';
import type { Tables } from '../tables';
import type { Call } from './context';

interface Remembered {
  readonly terms: PlanTerms;
  readonly overrides: readonly LimitOverride[];
  readonly budgets: readonly BudgetUse[];
  /** ms; an override ends then. */
  readonly until: number;
  readonly live: TenantPolicies;
  readonly test: TenantPolicies;
}

const NO_OVERRIDES: readonly LimitOverride[] = [];
const NO_BUDGETS: readonly BudgetUse[] = [];

/** A tenant's limits change when its plan, an override or a budget does, not with each call. */
export function rememberedPolicies(parts: { tables: Tables; endpoints: readonly string[]; clock: Clock; leaseMs: number }): (call: Call) => TenantPolicies {
  const { tables, endpoints, clock, leaseMs } = parts;
  const remembered = new Map<string, Map<string, Remembered>>();

  return ({ tenant, projectId, plan: { terms }, mode }) => {
    const now = clock();
    const overrides = tables.policies.get(tenant.id)?.overrides ?? NO_OVERRIDES;
    const budgets = tables.budgets.get(tenant.id)?.budgets ?? NO_BUDGETS;
    let ofTenant = remembered.get(tenant.id);
    if (ofTenant === undefined) remembered.set(tenant.id, (ofTenant = new Map()));
    let entry = ofTenant.get(projectId);
    if (entry === undefined || entry.terms !== terms || entry.overrides !== overrides || entry.budgets !== budgets || entry.until <= now) {
      const { enforced, shadow } = tenantPolicies({ terms, overrides, endpoints, leaseMs, now });
      const ends = overrides.flatMap(({ expiresAt }) => (expiresAt !== null && expiresAt > now ? [expiresAt] : []));
      entry = {
        terms,
        overrides,
        budgets,
        until: Math.min(...ends, Infinity),
        live: { enforced: { ...enforced, budgets: budgetLimits(budgets, projectId) }, shadow },
        test: { enforced: withoutQuotas(enforced), shadow: shadow && withoutQuotas(shadow) },
      };
      ofTenant.set(projectId, entry);
    }
    return entry[mode];
  };
}

/** A test call spends no credits of anybody. */
const withoutQuotas = (limits: TenantLimits): TenantLimits => ({ ...limits, dailyCredits: undefined, monthlyCredits: undefined });

import type { BudgetState, BudgetUse, LimitOverride, PlanTerms, QuotaState } from '@weir/contracts';
import { utcDay, utcMonth, type Clock } from '@weir/kernel';
import { tenantPolicies, type Budget, type Ledger, type TenantLimits, type TenantPolicies } from '@weir/limiter';
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
  const remembered = new Map<string, Remembered>();

  return ({ tenant, projectId, plan: { terms }, mode }) => {
    const now = clock();
    const overrides = tables.policies.get(tenant.id)?.overrides ?? NO_OVERRIDES;
    const budgets = tables.budgets.get(tenant.id)?.budgets ?? NO_BUDGETS;
    const name = `${tenant.id}/${projectId}`;
    let entry = remembered.get(name);
    if (entry === undefined || entry.terms !== terms || entry.overrides !== overrides || entry.budgets !== budgets || entry.until <= now) {
      const { enforced, shadow } = tenantPolicies({ terms, overrides, endpoints, leaseMs, now });
      const ends = overrides.flatMap(({ expiresAt }) => (expiresAt !== null && expiresAt > now ? [expiresAt] : []));
      entry = {
        terms,
        overrides,
        budgets,
        until: Math.min(...ends, Infinity),
        live: { enforced: { ...enforced, budgets: tightest(budgets, projectId) }, shadow },
        test: { enforced: withoutQuotas(enforced), shadow: shadow && withoutQuotas(shadow) },
      };
      remembered.set(name, entry);
    }
    return entry[mode];
  };
}

/** A test call spends no credits of anybody. */
const withoutQuotas = (limits: TenantLimits): TenantLimits => ({ ...limits, dailyCredits: undefined, monthlyCredits: undefined });

/** Of those that refuse, the project's and those of all projects, the tightest of each period: it is used up first. */
function tightest(budgets: readonly BudgetUse[], projectId: string): readonly Budget[] | undefined {
  const least = new Map<Budget['period'], number>();
  for (const { period, limitCredits, projectId: of, hard } of budgets) {
    if (hard && (of === null || of === projectId)) least.set(period, Math.min(limitCredits, least.get(period) ?? Infinity));
  }
  return least.size === 0 ? undefined : [...least].map(([period, credits]) => ({ period, credits }));
}

/** What is known of a tenant's credits: the quotas' word, or a budget's where that was heard of first. */
export function ledgerOf(quota: QuotaState | undefined, budgets: BudgetState | undefined, now: number): Ledger | undefined {
  if (quota === undefined || budgets === undefined) return quota;
  const today = { day: utcDay(now), month: utcMonth(now) };
  let ledger: Ledger = quota;
  for (const { projectId, period, of, usedCredits } of budgets.budgets) {
    if (projectId !== null || of !== today[period] || quota[period] !== of) continue;
    const counted = period === 'day' ? 'dayCredits' : 'monthCredits';
    if (usedCredits > ledger[counted]) ledger = { ...ledger, [counted]: usedCredits };
  }
  return ledger;
}

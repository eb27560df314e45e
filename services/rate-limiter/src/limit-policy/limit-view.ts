import type { BudgetUse, KeyCeilingState, LimitOverride, PlanRef } from '@weir/contracts';
import { rfc3339 } from '@weir/kernel';
import { overrideOf, type Standing } from '@weir/limiter';

const MINUTE_MS = 60_000;

/** Where a limit comes from. `plan` is `<id>@<version>`. */
export type LimitSource =
  | { readonly from: 'plan'; readonly plan: string }
  /** `name` is the override's, which may be a pattern. */
  | { readonly from: 'override'; readonly name: string; readonly plan: string; readonly expiresAt: string | null }
  | { readonly from: 'budget'; readonly budgetId: string }
  /** Of an upstream key: what is configured, or less, since the upstream refused calls or said so. */
  | { readonly from: 'ceiling'; readonly learned: boolean; readonly configuredPerMinute: number; readonly perMinute: number };

/** One limit as the API shows it. */
export interface LimitView {
  /** As `PUT …/limits/{name}` takes it; `budget` and those of upstream keys are set elsewhere. */
  readonly name: string;
  /** Of an upstream key: the tenant's own, by its id; `platform`, shared with others. */
  readonly key?: string;
  /** The key's, where it is not the first one. */
  readonly upstream?: string;
  /** `shadow` decides and counts beside the others, and refuses nothing. */
  readonly mode: 'enforced' | 'shadow';
  readonly unit: Standing['unit'];
  readonly limit: number;
  readonly used: number;
  readonly remaining: number;
  /** When nothing of it is used, if nobody calls meanwhile; null for slots, which have no time. */
  readonly resetAt: string | null;
  readonly source: LimitSource;
  /** Of one in the shadow: calls of the last hour that it would have refused. */
  readonly wouldHaveRefused?: number;
}

interface Whose {
  readonly mode: LimitView['mode'];
  readonly plan: PlanRef;
  /** Those that have not expired. */
  readonly overrides: readonly LimitOverride[];
  /** Those that the limiter closes on. */
  readonly budgets: readonly BudgetUse[];
  /** Calls that would have been refused in the shadow, by limit. */
  readonly shadowed: Readonly<Record<string, number>>;
  readonly now: number;
}

/** @param endpoint whose bucket it is, where it is one's */
export function limitView(standing: Standing, { mode, plan, overrides, budgets, shadowed, now }: Whose, endpoint?: string): LimitView {
  const name = endpoint === undefined ? standing.name : `endpoint:${endpoint}`;
  const terms = `${plan.id}@${plan.version}`;
  // a shadow override without a limit shows what would hold, wherever that comes from
  const shadow = mode === 'shadow' ? overrideOf(overrides, name, true) : undefined;
  const override = shadow?.limit == null ? overrideOf(overrides, name, false) : shadow;
  const source: LimitSource =
    name === 'budget'
      ? { from: 'budget', budgetId: budgets.find(({ limitCredits }) => limitCredits === standing.limit)?.budgetId ?? '' }
      : override === undefined
        ? { from: 'plan', plan: terms }
        : { from: 'override', name: override.name, plan: terms, expiresAt: timeOf(override.expiresAt) };
  return { ...view(standing, now), name, mode, source, ...(mode === 'shadow' ? { wouldHaveRefused: shadowed[name] ?? 0 } : {}) };
}

export function keyLimitView(standing: Standing, ceiling: KeyCeilingState, key: string, now: number): LimitView {
  const { perMinute, configured } = ceiling;
  return {
    ...view(standing, now),
    key,
    ...(ceiling.upstream === undefined ? {} : { upstream: ceiling.upstream }),
    mode: 'enforced',
    source: { from: 'ceiling', learned: perMinute < configured.perMinute, configuredPerMinute: configured.perMinute, perMinute },
  };
}

const view = ({ name, unit, limit, used, remaining, resetMs }: Standing, now: number) => ({
  name: name as string,
  unit,
  limit,
  used,
  remaining,
  resetAt: resetAt(unit, now + resetMs),
});

/** A quota ends at a midnight in UTC by the store's clock, which may differ a little from ours. */
function resetAt(unit: Standing['unit'], ms: number): string | null {
  if (unit === 'slots') return null;
  return rfc3339(unit === 'credits' ? Math.round(ms / MINUTE_MS) * MINUTE_MS : ms);
}

/** An override as the API shows it. */
export const overrideView = ({ name, limit, refillPerSecond, expiresAt, shadow }: LimitOverride) => ({
  name,
  limit,
  refillPerSecond,
  expiresAt: timeOf(expiresAt),
  shadow,
});

const timeOf = (ms: number | null): string | null => (ms === null ? null : rfc3339(ms));

import type { LimitName, LimitOverride, PlanRef } from '@weir/contracts';
import { rfc3339 } from '@weir/kernel';
import type { Standing } from '@weir/limiter';

const MINUTE_MS = 60_000;

/** Where a limit comes from. `plan` is `<id>@<version>`. */
export type LimitSource =
  | { readonly from: 'plan'; readonly plan: string }
  | { readonly from: 'override'; readonly plan: string; readonly expiresAt: string | null };

/** One limit as the API shows it. */
export interface LimitView {
  readonly name: Standing['name'];
  /** Of an endpoint's bucket alone. */
  readonly endpoint?: string;
  readonly unit: Standing['unit'];
  readonly limit: number;
  readonly used: number;
  readonly remaining: number;
  /** When nothing of it is used, if nobody calls meanwhile; null for slots, which have no time. */
  readonly resetAt: string | null;
  readonly source: LimitSource;
}

export function limitView(
  standing: Standing,
  of: { plan: PlanRef; overrides: ReadonlyMap<LimitName, LimitOverride>; now: number; endpoint?: string },
): LimitView {
  const { name, unit, limit, used, remaining, resetMs } = standing;
  const plan = `${of.plan.id}@${of.plan.version}`;
  const override = of.overrides.get(name as LimitName);
  return {
    name,
    ...(of.endpoint === undefined ? {} : { endpoint: of.endpoint }),
    unit,
    limit,
    used,
    remaining,
    resetAt: resetAt(unit, of.now + resetMs),
    source: override === undefined ? { from: 'plan', plan } : { from: 'override', plan, expiresAt: timeOf(override.expiresAt) },
  };
}

/** A quota ends at a midnight in UTC by the store's clock, which may differ a little from ours. */
function resetAt(unit: Standing['unit'], ms: number): string | null {
  if (unit === 'slots') return null;
  return rfc3339(unit === 'credits' ? Math.round(ms / MINUTE_MS) * MINUTE_MS : ms);
}

/** An override as the API shows it. */
export const overrideView = ({ name, limit, refillPerSecond, expiresAt }: LimitOverride) => ({
  name,
  limit,
  refillPerSecond,
  expiresAt: timeOf(expiresAt),
});

const timeOf = (ms: number | null): string | null => (ms === null ? null : rfc3339(ms));

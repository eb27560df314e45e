import type { KeyCeilingState, LimitName as PolicyName, LimitOverride, PlanTerms } from '@weir/contracts';
import type { Bucket, KeyLimits, TenantLimits } from './port';
import { MAX_CAPACITY, MAX_CREDITS, MAX_FILL_SECONDS } from './rules';

export interface TenantPolicy {
  readonly terms: PlanTerms;
  /** Those of the tenant, expired ones among them. */
  readonly overrides: readonly LimitOverride[];
  /** ms; longer than the longest call. */
  readonly leaseMs: number;
  /** ms since the epoch. */
  readonly now: number;
}

/**
 * What a tenant may do: its plan's terms under the overrides that have not expired. Pure, so that whoever decides and whoever
 * shows the limits agree. What a plan or an override says beyond the limiter's own bounds is brought within them: a limit that
 * somebody made too large must not refuse every call.
 */
export function tenantLimits({ terms, overrides, leaseMs, now }: TenantPolicy): TenantLimits {
  const active = activeOverrides(overrides, now);
  const of = (name: PolicyName) => active.get(name)?.limit;
  const bucket = active.get('tenant-bucket');
  return {
    bucket: within({
      capacity: bucket?.limit ?? terms.bucket.capacity,
      refillPerSecond: bucket?.refillPerSecond ?? terms.bucket.refillPerSecond,
    }),
    endpointBuckets: Object.fromEntries(
      Object.entries(terms.endpointBuckets).map(([endpoint, rate]) => [endpoint, within(rate)]),
    ),
    dailyCredits: credits(of('daily-quota') ?? terms.dailyCredits),
    monthlyCredits: credits(of('monthly-quota') ?? terms.monthlyCredits),
    concurrency: Math.min(of('concurrency') ?? terms.concurrency, MAX_CAPACITY),
    leaseMs,
  };
}

/** By the limit that each replaces; an override ends at its expiry, whether or not anybody removes it. */
export const activeOverrides = (overrides: readonly LimitOverride[], now: number): ReadonlyMap<PolicyName, LimitOverride> =>
  new Map(
    overrides.filter(({ expiresAt }) => expiresAt === null || expiresAt > now).map((override) => [override.name, override]),
  );

/**
 * What an upstream key may do.
 *
 * @param of.ceiling what the rate-limiter published of the key; undefined: not heard of yet
 * @param of.keyRate the catalog's, which holds until then
 */
export function keyLimits(of: {
  ceiling: KeyCeilingState | undefined;
  keyRate: { readonly perMinute: number; readonly burst: number };
  leaseMs: number;
}): KeyLimits {
  const { perMinute, burst } = of.ceiling ?? of.keyRate;
  // 0 is 'no limit of its own' in the contract; the bucket still holds
  const concurrency = of.ceiling?.concurrency || undefined;
  return { bucket: within({ capacity: burst, refillPerSecond: perMinute / 60 }), concurrency, leaseMs: of.leaseMs };
}

/** Whole calls, and no more than the rate fills within the limiter's bound. */
function within({ capacity, refillPerSecond }: Bucket): Bucket {
  const rate = Math.min(Math.max(refillPerSecond, 1 / MAX_FILL_SECONDS), 1e9);
  const everyNs = Math.round(1e9 / rate);
  const most = Math.floor((MAX_FILL_SECONDS * 1e9) / everyNs);
  return { capacity: Math.min(Math.floor(capacity), most, MAX_CAPACITY), refillPerSecond: rate };
}

const credits = (limit: number | null): number | undefined => (limit === null ? undefined : Math.min(limit, MAX_CREDITS));

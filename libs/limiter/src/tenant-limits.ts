import type { KeyCeilingState, LimitName, LimitOverride, PlanTerms } from '@weir/contracts';
import { activeOverrides, names, overrideOf } from './overrides';
import type { Bucket, KeyLimits, TenantLimits } from './port';
import { MAX_CAPACITY, MAX_CREDITS, MAX_FILL_SECONDS } from './rules';

interface TenantPolicy {
  readonly terms: PlanTerms;
  /** Those of the tenant, expired ones among them. */
  readonly overrides: readonly LimitOverride[];
  /** Of the catalog: those that `endpoint:*` stands for. */
  readonly endpoints: readonly string[];
  /** ms; longer than the longest call. */
  readonly leaseMs: number;
  /** ms since the epoch. */
  readonly now: number;
}

export interface TenantPolicies {
  readonly enforced: TenantLimits;
  /** Those that decide and count in the shadow and refuse nothing; undefined when there are none. */
  readonly shadow: TenantLimits | undefined;
}

/** What one limit is in force and in the shadow; undefined: no limit. */
interface Pair<T> {
  readonly enforced: T | undefined;
  readonly shadow: T | undefined;
}

/** In the shadow each limit decides for itself: what another one would have refused counts there alone. */
const SHADOWED: TenantLimits['shadow'] = ['tenant-bucket', 'endpoint-bucket', 'daily-quota', 'monthly-quota', 'concurrency'];

/** Where a project's limits of the shadow are counted: beside its own, so that the two never meet. */
export const shadowOf = (project: string): string => `${project}~shadow`;

/**
 * What a tenant may do: its plan's terms under the overrides that have not expired. Pure, so that whoever decides and whoever
 * shows the limits agree. What a plan or an override says beyond the limiter's own bounds is brought within them: a limit that
 * somebody made too large must not refuse every call.
 *
 * A shadow override with a limit of its own is tried beside what holds; one without takes what holds out of force.
 */
export function tenantPolicies({ terms, overrides, endpoints, leaseMs, now }: TenantPolicy): TenantPolicies {
  const active = activeOverrides(overrides, now);
  const inForce = (name: LimitName) => overrideOf(active, name, false);
  const inShadow = (name: LimitName) => overrideOf(active, name, true);

  function bucket(name: LimitName, planned: Bucket | undefined): Pair<Bucket> {
    const of = (override: LimitOverride | undefined, otherwise: Bucket | undefined): Bucket | undefined => {
      if (override?.limit == null) return otherwise;
      const rate = override.refillPerSecond ?? otherwise?.refillPerSecond ?? override.limit / 60;
      return within({ capacity: override.limit, refillPerSecond: rate });
    };
    return pair(inShadow(name), (override) => of(override, of(inForce(name), planned && within(planned))));
  }
  function number(name: LimitName, planned: number | null, most: number): Pair<number> {
    return pair(inShadow(name), (override) => {
      const limit = override?.limit ?? inForce(name)?.limit ?? planned;
      return limit === null ? undefined : Math.min(limit, most);
    });
  }

  const anyEndpoint = active.some(({ name }) => endpoints.some((endpoint) => names(name, `endpoint:${endpoint}`)));
  const limited = anyEndpoint ? new Set([...Object.keys(terms.endpointBuckets), ...endpoints]) : Object.keys(terms.endpointBuckets);
  const buckets = [...limited].map((endpoint) => ({
    endpoint,
    ...bucket(`endpoint:${endpoint}`, Object.hasOwn(terms.endpointBuckets, endpoint) ? terms.endpointBuckets[endpoint] : undefined),
  }));
  const all = {
    bucket: bucket('tenant-bucket', terms.bucket),
    dailyCredits: number('daily-quota', terms.dailyCredits, MAX_CREDITS),
    monthlyCredits: number('monthly-quota', terms.monthlyCredits, MAX_CREDITS),
    concurrency: number('concurrency', terms.concurrency, MAX_CAPACITY),
  };
  const limits = (side: keyof Pair<unknown>): TenantLimits => ({
    bucket: all.bucket[side],
    endpointBuckets: Object.fromEntries(buckets.flatMap((one) => (one[side] ? [[one.endpoint, one[side]]] : []))),
    dailyCredits: all.dailyCredits[side],
    monthlyCredits: all.monthlyCredits[side],
    concurrency: all.concurrency[side],
    leaseMs,
  });
  const shadow = active.some((override) => override.shadow);
  return { enforced: limits('enforced'), shadow: shadow ? { ...limits('shadow'), shadow: SHADOWED } : undefined };
}

/** @param value of the limit under an override of the shadow, or, undefined, under what is in force alone */
function pair<T>(shadow: LimitOverride | undefined, value: (override: LimitOverride | undefined) => T | undefined): Pair<T> {
  const holds = value(undefined);
  if (shadow === undefined) return { enforced: holds, shadow: undefined };
  return shadow.limit === null ? { enforced: undefined, shadow: holds } : { enforced: holds, shadow: value(shadow) };
}

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

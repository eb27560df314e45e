import { utcDay, utcMonth } from '@weir/kernel';
import type { Bucket, KeyTake, Ledger, TenantTake } from '../port';

/**
 * What one of `replicas` processes may decide on its own while the common store is away. The store that comes back may have forgotten
 * everything and begin with full buckets; so that both together are at most one bucket too many, a local bucket holds no more than a
 * second's refill.
 */
export function localTenantTake(take: TenantTake, replicas: number, now: number): TenantTake {
  const { bucket, endpointBuckets, dailyCredits, monthlyCredits, budgets, concurrency, ...rest } = take.limits;
  const left = (limit: number | undefined, period: 'day' | 'month') => limit && shareOfRest(limit, counted(take.ledger, period, now), replicas);
  const share = (whole: Bucket) => smooth(shareOfBucket(whole, replicas));
  return {
    ...take,
    limits: {
      ...rest,
      bucket: bucket && share(bucket),
      endpointBuckets: endpointBuckets && Object.fromEntries(Object.entries(endpointBuckets).map(([name, one]) => [name, share(one)])),
      dailyCredits: left(dailyCredits, 'day'),
      monthlyCredits: left(monthlyCredits, 'month'),
      budgets: budgets?.map(({ period, credits }) => ({ period, credits: left(credits, period) ?? credits })),
      concurrency: concurrency === undefined ? undefined : shareOfCalls(concurrency, replicas),
    },
  };
}

/** A shared key's limits are divided; a tenant's own key is nobody else's, and the upstream guards it. */
export function localKeyTake(take: KeyTake, replicas: number): KeyTake {
  if (take.share === undefined) return take;
  const { bucket, concurrency, leaseMs } = take.limits;
  return {
    ...take,
    limits: {
      bucket: smooth(shareOfBucket(bucket, replicas)),
      concurrency: concurrency === undefined ? undefined : shareOfCalls(concurrency, replicas),
      leaseMs,
    },
  };
}

/** No process is left without a call: with more processes than there are calls, that is where the bound ends. */
const shareOfCalls = (whole: number, replicas: number): number => (whole === 0 ? 0 : Math.max(1, Math.floor(whole / replicas)));
const shareOfBucket = ({ capacity, refillPerSecond }: Bucket, replicas: number): Bucket => ({
  capacity: shareOfCalls(capacity, replicas),
  refillPerSecond: refillPerSecond / replicas,
});

const smooth = ({ capacity, refillPerSecond }: Bucket): Bucket => ({
  capacity: Math.min(capacity, Math.max(1, Math.floor(refillPerSecond))),
  refillPerSecond,
});

/** Of what the ledger leaves, each process has its part: whole credits, so that the parts are no more than the whole. */
const shareOfRest = (limit: number, used: number, replicas: number): number =>
  replicas === 1 || used >= limit ? limit : used + Math.floor((limit - used) / replicas);

function counted(ledger: Ledger | undefined, period: 'day' | 'month', now: number): number {
  if (ledger === undefined) return 0;
  if (period === 'day') return ledger.day === utcDay(now) ? ledger.dayCredits : 0;
  return ledger.month === utcMonth(now) ? ledger.monthCredits : 0;
}

import type { KeyLimits } from './port';

/**
 * What one of `replicas` processes may do on its own while the common store is away, so that all of them together stay within the key's
 * limits. No process is left without a call: with more processes than the bucket has calls, that is where the bound ends.
 */
export function localShare({ bucket, concurrency, leaseMs }: KeyLimits, replicas: number): KeyLimits {
  const of = (whole: number) => (whole === 0 ? 0 : Math.max(1, Math.floor(whole / replicas)));
  return {
    bucket: { capacity: of(bucket.capacity), refillPerSecond: bucket.refillPerSecond / replicas },
    concurrency: concurrency === undefined ? undefined : of(concurrency),
    leaseMs,
  };
}

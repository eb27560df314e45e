import { TooLate, within } from '@weir/kernel';
import type { ResponseCache } from './cache';
import { noLeases, type Lease, type Leases } from './leases';

export interface Hurry {
  /** Redis is known to be away: nobody asks it. */
  readonly away: () => boolean;
  /** How long Redis may take. */
  readonly timeoutMs: number;
  readonly onError: (error: unknown) => void;
}

/** A cache that is late is a miss, and an answer that it does not take in time is not waited for. */
export function hurriedCache(cache: ResponseCache, { away, timeoutMs, onError }: Hurry): ResponseCache {
  async function inTime<T>(step: () => Promise<T>, otherwise: T): Promise<T> {
    if (away()) return otherwise;
    try {
      return await within(timeoutMs, step());
    } catch (error) {
      if (!(error instanceof TooLate)) onError(error);
      return otherwise;
    }
  }
  return {
    ...cache,
    read: (call, maxAgeMs) => inTime(() => cache.read(call, maxAgeMs), undefined),
    keep: (call, answer) => inTime(() => cache.keep(call, answer), undefined),
  };
}

/** A lease that is late is a lease: rather one call too many than one that waits. What comes later is let go. */
export function hurriedLeases(leases: Leases, { away, timeoutMs }: Hurry): Leases {
  return {
    ...leases,
    async take(name) {
      if (away()) return noLeases.take(name);
      const asked: Promise<Lease | undefined> = leases.take(name);
      try {
        return await within(timeoutMs, asked);
      } catch {
        void asked.then((lease) => lease?.release()).catch(() => undefined);
        return noLeases.take(name);
      }
    },
  };
}

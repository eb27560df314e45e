import type { Clock } from '@weir/kernel';
import { openRedis } from '@weir/service-host';
import type { FetcherConfig } from '../config';
import { createResponseCache, noCache, type ResponseCache } from './cache';
import { hurriedCache, hurriedLeases } from './hurried';
import { noLeases, redisLeases, type Leases } from './leases';

/** What answers are shared through: with the other processes where there is Redis, within this one where there is none. */
export interface Sharing {
  readonly cache: ResponseCache;
  readonly leases: Leases;
  close(): Promise<void>;
}

export interface SharingOptions {
  readonly config: FetcherConfig;
  /** False: this process is alone, whatever is configured. */
  readonly shared: boolean;
  /** Whether Redis is known to be away. */
  readonly away: () => boolean;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

export function openSharing({ config, shared, away, clock, onError }: SharingOptions): Sharing {
  const open = () => openRedis(config, { onError, commandTimeoutMs: 1_000 });
  const redis = shared && config.limiter === 'redis' && config.cache === 'on' ? open() : undefined;
  const cache =
    config.cache === 'off'
      ? noCache
      : createResponseCache({
          clock,
          prefix: config.redisPrefix,
          redis,
          maxBytes: config.cacheBytes,
          staleIfErrorMs: config.staleIfErrorS * 1_000,
          onError,
        });
  const leases = redis === undefined ? noLeases : redisLeases({ redis, listener: open(), prefix: config.redisPrefix, onError });
  if (redis === undefined) return { cache, leases, close };
  const hurry = { away, timeoutMs: config.limiterTimeoutMs, onError };
  return { cache: hurriedCache(cache, hurry), leases: hurriedLeases(leases, hurry), close };

  async function close(): Promise<void> {
    await leases.close();
    await cache.close();
  }
}

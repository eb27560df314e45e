import type { Redis } from 'ioredis';
import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { redisDriver } from 'bentocache/drivers/redis';
import { PLATFORM, type Clock } from '@weir/kernel';
import type { UserSubject } from '../snapshot/user-snapshot';
import type { Answer } from './answer';
import type { Call } from './context';

/** An answer that may be served again. */
export interface KeptAnswer extends Answer {
  /** ms */
  readonly fetchedAt: number;
  /** Of a profile: whom it is about. */
  readonly user: UserSubject | undefined;
}

/** Step 4, the half of it that outlives a call. Trouble with the cache is a miss, never an error. */
export interface ResponseCache {
  /** @param maxAgeMs what the caller accepts; undefined: what the catalog says */
  read(call: Call, maxAgeMs: number | undefined): Promise<KeptAnswer | undefined>;
  keep(call: Call, answer: KeptAnswer): Promise<void>;
  close(): Promise<void>;
}

/** Plain data, whatever the store makes of it; the body is valid UTF-8, checked before anything is kept. */
interface Entry {
  readonly body: string;
  readonly contentType: string;
  readonly fetchedAt: number;
  readonly user: UserSubject | undefined;
}

/**
 * The name of a call's answer. Answers on the platform's keys are shared between the tenants whose plan shares; those on an own key
 * are the tenant's alone, and a test token's are the simulator's.
 */
export function cacheName({ tenant, plan, mode, keys, endpoint, query }: Call): string {
  const whose =
    mode === 'test'
      ? `${tenant.id}/test`
      : keys.owner === 'own'
        ? `${tenant.id}/own`
        : plan.terms.sharedCache
          ? PLATFORM
          : tenant.id;
  return `${whose}/${endpoint.id}?${query}`;
}

export interface CacheOptions {
  readonly clock: Clock;
  readonly prefix: string;
  /** Undefined: in this process's memory. */
  readonly redis: Redis | undefined;
  readonly maxBytes: number;
  readonly onError: (error: unknown) => void;
}

export function createResponseCache({ clock, prefix, redis, maxBytes, onError }: CacheOptions): ResponseCache {
  const memory = () => bentostore().useL1Layer(memoryDriver({ maxSize: maxBytes, maxEntrySize: Math.floor(maxBytes / 4) }));
  const shared = (connection: Redis) => bentostore().useL2Layer(redisDriver({ connection }));
  const cache = new BentoCache({
    default: 'answers',
    prefix: `${prefix}:answer`,
    stores: { answers: redis === undefined ? memory() : shared(redis) },
    l2CircuitBreakerDuration: '2s',
  });

  return {
    async read(call, maxAgeMs) {
      const { lifetimeSeconds } = call.endpoint;
      const acceptedMs = Math.min(maxAgeMs ?? Infinity, lifetimeSeconds * 1_000);
      if (acceptedMs <= 0) return undefined;
      try {
        const entry = await cache.get<Entry | undefined>({ key: cacheName(call) });
        if (entry === undefined || entry === null || clock() - entry.fetchedAt >= acceptedMs) return undefined;
        const { body, contentType, fetchedAt, user } = entry;
        return { status: 200, body: Buffer.from(body), contentType, fetchedAt, user };
      } catch (error) {
        onError(error);
        return undefined;
      }
    },

    async keep(call, { body, contentType, fetchedAt, user }) {
      const { lifetimeSeconds } = call.endpoint;
      if (lifetimeSeconds === 0) return;
      const value: Entry = { body: body.toString('utf8'), contentType, fetchedAt, user };
      try {
        await cache.set({ key: cacheName(call), value, ttl: lifetimeSeconds * 1_000 });
      } catch (error) {
        onError(error);
      }
    },

    close: async () => cache.disconnectAll(),
  };
}

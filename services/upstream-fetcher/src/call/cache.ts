import { promisify } from 'node:util';
import { zstdCompress, zstdDecompressSync } from 'node:zlib';
import type { Redis } from 'ioredis';
import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { redisDriver } from 'bentocache/drivers/redis';
import { PLATFORM, type Clock, type TenantId } from '@weir/kernel';
import type { Answer } from './answer';
import { namesInMemory, namesInRedis } from './cache-names';
import type { Call } from './context';

/** An answer that may be served again. */
export interface KeptAnswer extends Answer {
  /** ms */
  readonly fetchedAt: number;
}

/** What the cache has of a call. */
export interface Found {
  readonly kept: KeptAnswer;
  /** As young as caller and catalog want it; else it is served only where the upstream fails (RFC 5861, stale-if-error). */
  readonly fresh: boolean;
}

/** Step 4, the half of it that outlives a call. Trouble with the cache is a miss, never an error. */
export interface ResponseCache {
  /** Nothing is ever kept. */
  readonly empty: boolean;
  /** @param maxAgeMs what the caller accepts, with nothing older in any case; undefined: what the catalog says */
  read(call: Call, maxAgeMs: number | undefined): Promise<Found | undefined>;
  keep(call: Call, answer: KeptAnswer): Promise<void>;
  /**
   * Removes a tenant's answers, and those that tenants share, where `matches` says so: rare, since it looks at each of them.
   *
   * @returns how many; rejects when the store is away
   */
  forget(tenant: TenantId, matches: (endpointId: string, query: string, body: Buffer) => boolean): Promise<number>;
  close(): Promise<void>;
}

/** Plain data, whatever the store makes of it. */
interface Entry {
  /** UTF-8, checked before anything is kept; or, where `packed`, base64 of it compressed with zstd. */
  readonly body: string;
  readonly packed: boolean;
  readonly contentType: string;
  readonly fetchedAt: number;
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

/** The endpoint and the query of a name. */
function askedIn(name: string): [endpointId: string, query: string] {
  const end = name.indexOf('?');
  return [name.slice(name.lastIndexOf('/', end) + 1, end), name.slice(end + 1)];
}

export interface CacheOptions {
  readonly clock: Clock;
  readonly prefix: string;
  /** Undefined: in this process's memory. */
  readonly redis: Redis | undefined;
  readonly maxBytes: number;
  /** How much older than its lifetime an answer may be that stands in for one which the upstream does not give. */
  readonly staleIfErrorMs: number;
  readonly onError: (error: unknown) => void;
}

export const noCache: ResponseCache = {
  empty: true,
  read: () => Promise.resolve(undefined),
  keep: () => Promise.resolve(),
  forget: () => Promise.resolve(0),
  close: () => Promise.resolve(),
};

/** Larger answers are not kept: a page of comments has some tens of KB. */
const LARGEST_BYTES = 2_000_000;
/** From here on JSON becomes so much smaller that it pays, base64 included. */
const PACKED_FROM_BYTES = 2_048;

export function createResponseCache({ clock, prefix, redis, maxBytes, staleIfErrorMs, onError }: CacheOptions): ResponseCache {
  const memory = () => bentostore().useL1Layer(memoryDriver({ maxSize: maxBytes, maxEntrySize: Math.floor(maxBytes / 4) }));
  const shared = (connection: Redis) => bentostore().useL2Layer(redisDriver({ connection }));
  const cache = new BentoCache({
    default: 'answers',
    prefix: `${prefix}:answer`,
    stores: { answers: redis === undefined ? memory() : shared(redis) },
    l2CircuitBreakerDuration: '2s',
  });
  const names = redis === undefined ? namesInMemory() : namesInRedis(redis, `${prefix}:answer:`);

  return {
    empty: false,

    async read(call, maxAgeMs) {
      const lifetimeMs = call.endpoint.lifetimeSeconds * 1_000;
      const freshMs = Math.min(maxAgeMs ?? Infinity, lifetimeMs);
      if (freshMs <= 0) return undefined;
      try {
        const entry = await cache.get<Entry | undefined>({ key: cacheName(call) });
        if (entry === undefined || entry === null) return undefined;
        const age = clock() - entry.fetchedAt;
        const fresh = age < freshMs;
        if (!fresh && (maxAgeMs !== undefined || age >= lifetimeMs + staleIfErrorMs)) return undefined;
        const { contentType, fetchedAt } = entry;
        return { fresh, kept: { status: 200, body: unpacked(entry), contentType, fetchedAt } };
      } catch (error) {
        onError(error);
        return undefined;
      }
    },

    async keep(call, { body, contentType, fetchedAt }) {
      const { lifetimeSeconds } = call.endpoint;
      if (lifetimeSeconds === 0 || body.length > LARGEST_BYTES) return;
      try {
        const value: Entry = { ...(await packed(body)), contentType, fetchedAt };
        const key = cacheName(call);
        names.added(key);
        await cache.set({ key, value, ttl: lifetimeSeconds * 1_000 + staleIfErrorMs });
      } catch (error) {
        onError(error);
      }
    },

    async forget(tenant, matches) {
      let forgotten = 0;
      for await (const key of names.of([tenant, PLATFORM])) {
        const entry = await cache.get<Entry | undefined>({ key });
        if (entry === undefined || entry === null) names.gone(key);
        else if (matches(...askedIn(key), unpacked(entry))) {
          await cache.delete({ key });
          names.gone(key);
          forgotten++;
        }
      }
      return forgotten;
    },

    close: async () => cache.disconnectAll(),
  };
}

const compress = promisify(zstdCompress);

async function packed(body: Buffer): Promise<Pick<Entry, 'body' | 'packed'>> {
  if (body.length < PACKED_FROM_BYTES) return { body: body.toString('utf8'), packed: false };
  const small = (await compress(body)).toString('base64');
  return small.length < body.length ? { body: small, packed: true } : { body: body.toString('utf8'), packed: false };
}

const unpacked = ({ body, packed }: Entry): Buffer =>
  packed ? zstdDecompressSync(Buffer.from(body, 'base64'), { maxOutputLength: LARGEST_BYTES }) : Buffer.from(body);

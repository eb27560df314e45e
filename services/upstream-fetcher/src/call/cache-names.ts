import type { Redis } from 'ioredis';

/** The names under which answers are kept: asked for where somebody is forgotten, and by no call. */
export interface CacheNames {
  added(name: string): void;
  gone(name: string): void;
  /** Those of these owners; some may have ended meanwhile. */
  of(owners: readonly string[]): AsyncIterable<string>;
}

/** Redis has them itself. @param prefix what stands before each name */
export function namesInRedis(redis: Redis, prefix: string): CacheNames {
  return {
    added: () => undefined,
    gone: () => undefined,
    async *of(owners) {
      for (const owner of owners) {
        const found = redis.scanStream({ match: `${prefix.replace(/[*?[\]\\]/g, '\\$&')}${owner}/*`, count: 1_000 });
        // a scan may show a key twice; the second time it is not there any more
        for await (const keys of found) for (const key of keys as string[]) yield key.slice(prefix.length);
      }
    },
  };
}

/** More than a cache in memory can hold of the smallest answers. */
const MOST_NAMES = 500_000;

export function namesInMemory(): CacheNames {
  const names = new Set<string>();
  return {
    added(name) {
      names.delete(name);
      names.add(name);
      const oldest = names.size > MOST_NAMES ? names.values().next().value : undefined;
      if (oldest !== undefined) names.delete(oldest);
    },
    gone: (name) => void names.delete(name),
    async *of(owners) {
      for (const name of [...names]) if (owners.some((owner) => name.startsWith(`${owner}/`))) yield name;
    },
  };
}

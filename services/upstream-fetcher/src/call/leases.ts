import { randomBytes } from 'node:crypto';
import { within } from '@weir/kernel';
import type { Redis } from 'ioredis';

/** Step 4 between processes: whoever holds the lease of a thing fetches it; the others wait until it has landed. */
export interface Leases {
  /** There are no other processes. */
  readonly alone: boolean;
  /** Undefined: another process has it. Trouble with Redis is a lease: rather one call too many than none. */
  take(name: string): Promise<Lease | undefined>;
  /** Resolves when its holder has let go, or is dead, or after `withinMs`. */
  ended(name: string, withinMs: number): Promise<void>;
  close(): Promise<void>;
}

export interface Lease {
  /** Tells those who wait. */
  release(): void;
}

/** In one process alone nobody else asks. */
export const noLeases: Leases = {
  alone: true,
  take: () => Promise.resolve(LEASE),
  ended: () => Promise.resolve(),
  close: () => Promise.resolve(),
};
const LEASE: Lease = { release: () => undefined };

/** After that long without a sign of life the holder is taken for dead, and one of those who wait fetches instead. */
const LEASE_MS = 3_000;
const RENEW_MS = 1_000;

const RELEASE = `if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('del', KEYS[1]) redis.call('publish', KEYS[1], '') end`;
const RENEW = `if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('pexpire', KEYS[1], ${LEASE_MS}) end`;

export interface RedisLeasesOptions {
  readonly redis: Redis;
  /** A connection of its own: one that listens can do nothing else. */
  readonly listener: Redis;
  readonly prefix: string;
  readonly onError: (error: unknown) => void;
}

export function redisLeases({ redis, listener, prefix, onError }: RedisLeasesOptions): Leases {
  const holder = randomBytes(12).toString('base64url');
  const held = new Set<string>();
  const waiting = new Map<string, Set<() => void>>();
  const keyOf = (name: string) => `${prefix}:flight:${name}`;

  const renewing = setInterval(() => {
    for (const key of held) redis.eval(RENEW, 1, key, holder).catch(onError);
  }, RENEW_MS).unref();
  listener.on('message', (key: string) => waiting.get(key)?.forEach((wake) => wake()));

  /** Listened to before it is looked at: what ends between the two is heard. */
  async function listen(key: string, wake: () => void): Promise<void> {
    const others = waiting.get(key);
    if (others !== undefined) return void others.add(wake);
    waiting.set(key, new Set([wake]));
    await listener.subscribe(key);
  }

  function stopListening(key: string, wake: () => void): void {
    const others = waiting.get(key);
    others?.delete(wake);
    if (others === undefined || others.size > 0) return;
    waiting.delete(key);
    listener.unsubscribe(key).catch(onError);
  }

  return {
    alone: false,

    async take(name) {
      const key = keyOf(name);
      try {
        if ((await redis.set(key, holder, 'PX', LEASE_MS, 'NX')) === null) return undefined;
      } catch (error) {
        onError(error);
        return LEASE;
      }
      held.add(key);
      return {
        release() {
          held.delete(key);
          redis.eval(RELEASE, 1, key, holder).catch(onError);
        },
      };
    },

    async ended(name, withinMs) {
      const key = keyOf(name);
      const until = Date.now() + withinMs;
      let wake: () => void = () => undefined;
      let woken = new Promise<void>((resolve) => (wake = resolve));
      const hear = () => wake();
      try {
        await listen(key, hear);
        for (;;) {
          const leftMs = await redis.pttl(key);
          const waitMs = Math.min(leftMs, until - Date.now());
          if (waitMs <= 0) return;
          // a holder that lives renews it before its end
          const heard = await within(waitMs, woken).then(() => true, () => false);
          if (heard) return;
          woken = new Promise<void>((resolve) => (wake = resolve));
        }
      } catch (error) {
        onError(error);
      } finally {
        stopListening(key, hear);
      }
    },

    async close() {
      clearInterval(renewing);
      listener.disconnect();
    },
  };
}

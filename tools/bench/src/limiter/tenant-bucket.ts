import { newId } from '@weir/kernel';
import { redisLimiterStore, type TenantLimits } from '@weir/limiter';
import { Redis } from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import type { Side } from '../bench';
import { outstanding } from './outstanding';

const TENANTS = 200;
const LANES = 256;
/** What every plan has, and all that one without quotas has; so large that nothing is refused: what is measured is admitting. */
const ROOMY: TenantLimits = { bucket: { capacity: 1_000_000, refillPerSecond: 1_000_000 }, concurrency: 1_000_000, leaseMs: 1_000 };

export interface TenantBucket {
  readonly sides: Side[];
  readonly batched: string;
  close(): Promise<void>;
}

/** Decisions on the buckets of 200 tenants, beside what people would otherwise use, on the same Redis. */
export function tenantBucket(url: string): TenantBucket {
  const theirs = new Redis(url);
  const ours = new Redis(url);
  const tenants = Array.from({ length: TENANTS }, (_, i) => `ten_${String(i).padStart(4, '0')}`);
  // spread as if by chance, and the same for both
  const tenantOf = (n: number) => tenants[(Math.imul(n, 0x9e3779b1) >>> 8) % TENANTS] ?? '';
  const flexible = new RateLimiterRedis({ storeClient: theirs, points: 1e12, duration: 60, keyPrefix: 'rlf' });
  const store = redisLimiterStore(ours, { prefix: 'bench' });
  const take = async (n: number) => {
    const answer = await store.takeTenant({ tenant: tenantOf(n), project: 'default', takeId: newId('req'), endpoint: 'userid', cost: 0, limits: ROOMY });
    if (!answer.admitted) throw new Error('a bucket that holds more than is taken refused');
  };
  const before = async () => void (await ours.flushall());
  const first = `rate-limiter-flexible, ${LANES} outstanding`;
  const batched = `tenant bucket, ${LANES} outstanding`;
  const alone = 'rate-limiter-flexible, 8 outstanding';
  return {
    batched,
    sides: [
      { name: first, before, run: (seconds) => outstanding(LANES, seconds, (n) => flexible.consume(tenantOf(n))) },
      { name: batched, against: first, before, run: (seconds) => outstanding(LANES, seconds, take) },
      { name: alone, before, run: (seconds) => outstanding(8, seconds, (n) => flexible.consume(tenantOf(n))) },
      { name: 'tenant bucket, 8 outstanding', against: alone, before, run: (seconds) => outstanding(8, seconds, take) },
    ],
    close: async () => void (await Promise.all([theirs.quit(), ours.quit()])),
  };
}

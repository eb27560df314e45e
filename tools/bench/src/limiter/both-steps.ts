import { newId } from '@weir/kernel';
import { createAdmission, redisLimiterStore, type KeyLimits, type Ledger, type TenantLimits } from '@weir/limiter';
import { Redis } from 'ioredis';
import type { Side } from '../bench';
import { outstanding } from './outstanding';

const TENANTS = 1_000;
const LANES = 64;
const FILL_TAKES = 6_000;
const RATE = { capacity: 1_000_000, refillPerSecond: 1_000_000 };
/** All that a plan can have. */
const LIMITS: TenantLimits = {
  bucket: RATE,
  endpointBuckets: { userid: RATE },
  dailyCredits: 1e9,
  monthlyCredits: 1e9,
  concurrency: 1_000_000,
  leaseMs: 1_000,
};

export interface BothSteps {
  readonly sides: Side[];
  /** The sides that are the two decisions and nothing else. */
  readonly decisions: readonly string[];
  close(): Promise<void>;
}

/** A thousand tenants who all want more of one key than it gives: the tenant's slot with every limit there is, then the key's. */
export function bothSteps(url: string): BothSteps {
  const redis = new Redis(url);
  const store = redisLimiterStore(redis, { prefix: 'bench' });
  const admissions = createAdmission(store);
  const of = (n: number, perMinute: number) => {
    const tenant = `ten_${String((n * 7919) % TENANTS).padStart(4, '0')}`;
    const takeId = newId('req');
    const key: KeyLimits = { bucket: { capacity: perMinute / 4, refillPerSecond: perMinute / 60 }, leaseMs: 1_000 };
    return {
      step1: { tenant, project: 'default', takeId, endpoint: 'userid', cost: 1, limits: LIMITS, ledger: ledger() },
      step2: { keyId: 'key_shared', tenant, project: 'default', takeId, limits: key, share: { weight: 1 + (n % 3), priority: 'interactive' as const } },
    };
  };
  /** All of them want it by then, and nearly each has a slot: a call that is given one costs more than the others, and there are no more of these than the key gives. */
  const before = (perMinute: number) => async () => {
    await redis.flushall();
    for (let n = 0; n < FILL_TAKES; n += LANES) await Promise.all(Array.from({ length: LANES }, (_, i) => store.takeKey(of(n + i, perMinute).step2)));
  };
  const both = (perMinute: number): Side => ({
    name: `both steps, ${perMinute.toLocaleString('en')}/min`,
    before: before(perMinute),
    run: (seconds) =>
      outstanding(LANES, seconds, async (n) => {
        const { step1, step2 } = of(n, perMinute);
        await store.takeTenant(step1);
        await store.takeKey(step2);
      }),
  });
  const decisions = [both(200), both(12_000)];
  return {
    decisions: decisions.map(({ name }) => name),
    sides: [
      ...decisions,
      {
        name: 'the same, and what a refusal gives back',
        before: before(12_000),
        run: (seconds) =>
          outstanding(LANES, seconds, async (n) => {
            const { step1, step2 } = of(n, 12_000);
            const pass = await admissions.enter(step1);
            if (pass.admitted) await admissions.forKey(pass, { key: step2, cost: 1 });
          }),
      },
    ],
    close: async () => void (await redis.quit()),
  };
}

function ledger(): Ledger {
  const today = new Date().toISOString();
  return { day: today.slice(0, 10), dayCredits: 0, month: today.slice(0, 7), monthCredits: 0 };
}

import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { memoryLimiterStore } from './memory-store';
import type { LimiterStore } from './port';
import { redisLimiterStore } from './redis-store';
import { NOON, ofKey, ofTenant } from './samples';

const redisUrl = process.env.WEIR_TEST_REDIS_URL;
if (!redisUrl) throw new Error('WEIR_TEST_REDIS_URL is not set: these tests need a Redis.');

type Step = (store: LimiterStore) => Promise<unknown>;
type Action = { readonly wait: number } | { readonly shown: string; readonly run: Step };

const bucket = fc.record({
  capacity: fc.integer({ min: 0, max: 6 }),
  refillPerSecond: fc.constantFrom(0.01, 0.3, 1, 200 / 60, 7, 1000 / 3, 30_000),
});
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const amount = fc.constantFrom(0, 0.1, 0.2, 1, 2.5, 3, 7, 12);
const leaseMs = fc.constantFrom(1, 400, 5_000, 90_000);
const slots = maybe(fc.integer({ min: 0, max: 3 }));
const takeId = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');

// Few tenants, ids and limits, so that schedules meet themselves: repeated takes, raises, closed takes, changed limits.
const tenantTake = fc.record({
  tenant: fc.constantFrom('ten_a', 'ten_b'),
  project: fc.constant('default'),
  takeId,
  endpoint: fc.constantFrom('posts', 'userid'),
  cost: amount,
  limits: fc.record({
    bucket,
    endpointBuckets: maybe(fc.record({ posts: bucket })),
    dailyCredits: maybe(amount),
    monthlyCredits: maybe(amount),
    budget: maybe(fc.record({ credits: amount, period: fc.constantFrom('day' as const, 'month' as const) })),
    concurrency: slots,
    leaseMs,
  }),
  ledger: maybe(
    fc.record({
      day: fc.constantFrom('2026-11-23', '2026-11-24', '2026-11-25', '2026-12-01'),
      dayCredits: amount,
      month: fc.constantFrom('2026-10', '2026-11', '2026-12'),
      monthCredits: amount,
    }),
  ),
});
const keyTake = fc.record({
  keyId: fc.constant('key_a'),
  tenant: fc.constantFrom('ten_a', 'ten_b'),
  project: fc.constant('default'),
  takeId,
  limits: fc.record({ bucket, concurrency: slots, leaseMs }),
});

const shown = (what: string, value: unknown, run: Step): Action => ({ shown: `${what} ${JSON.stringify(value)}`, run });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: tenantTake.map((take) => shown('take', take, (store) => store.takeTenant(take))) },
  { weight: 3, arbitrary: keyTake.map((take) => shown('take key', take, (store) => store.takeKey(take))) },
  { weight: 1, arbitrary: tenantTake.map((take) => shown('return', take, (store) => store.giveBack(ofTenant(take)))) },
  { weight: 1, arbitrary: keyTake.map((take) => shown('return key', take, (store) => store.giveBack(ofKey(take)))) },
  {
    weight: 2,
    arbitrary: tenantTake.map((take) => shown('settle', take, (store) => store.settle(ofTenant(take), take.cost))),
  },
  { weight: 1, arbitrary: keyTake.map((take) => shown('settle key', take, (store) => store.settle(ofKey(take), 0))) },
  { weight: 1, arbitrary: tenantTake.map((take) => shown('look', take, (store) => store.inspectTenant(take))) },
  // ms, down to a microsecond
  {
    weight: 4,
    arbitrary: fc.constantFrom(0.001, 0.5, 3, 250.125, 1_000, 61_000, 5 * 3_600_000, 7 * 86_400_000).map((wait) => ({ wait })),
  },
);

const outcome = (answer: Promise<unknown>) => answer.catch((error: { code?: string }) => ({ threw: error.code }));

describe('Redis and memory', () => {
  const redis = new Redis(redisUrl);
  const run = `limiter-${randomUUID()}`;
  afterAll(async () => {
    const keys = await redis.keys(`${run}:*`);
    if (keys.length > 0) await redis.unlink(keys);
    await redis.quit();
  });

  it('decide alike on any schedule of takes, raises, returns, settlements, changed limits and time', async () => {
    let schedule = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 60 }), async (actions) => {
        let now = NOON;
        const memory = memoryLimiterStore({ clock: () => now });
        const lua = redisLimiterStore(redis, { prefix: `${run}:${++schedule}`, testClock: () => now });
        for (const each of actions) {
          if ('wait' in each) now += each.wait;
          else expect({ [each.shown]: await outcome(each.run(lua)) }).toEqual({ [each.shown]: await outcome(each.run(memory)) });
        }
        await memory.close();
      }),
      { numRuns: 200, interruptAfterTimeLimit: 4_000, markInterruptAsFailure: false },
    );
    expect(schedule).toBeGreaterThan(20);
  });
});

import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { memoryLimiterStore } from './memory-store';
import type { Admitted, LimiterStore } from './port';
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
    bucket: fc.option(bucket, { freq: 8, nil: undefined }),
    endpointBuckets: maybe(fc.record({ posts: bucket })),
    dailyCredits: maybe(amount),
    monthlyCredits: maybe(amount),
    budgets: fc.uniqueArray(fc.record({ credits: amount, period: fc.constantFrom('day' as const, 'month' as const) }), {
      selector: ({ period }) => period,
    }),
    concurrency: slots,
    leaseMs,
    shadow: maybe(fc.subarray(['tenant-bucket', 'endpoint-bucket', 'daily-quota', 'monthly-quota', 'budget', 'concurrency'] as const)),
  }),
  ticket: maybe(takeId),
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
  calls: maybe(fc.integer({ min: 1, max: 3 })),
});
// A rate for a schedule and takes that follow each other quickly, so that slots are given, come due, are claimed, missed and moved.
const sharedTake = fc.record({
  keyId: fc.constant('key_s'),
  tenant: fc.constantFrom('ten_a', 'ten_b', 'ten_c', 'ten_d'),
  project: fc.constant('default'),
  takeId: fc.integer({ min: 0, max: 30 }).map((n) => `s${n}`),
  limits: fc.record({
    bucket: fc.record({
      capacity: fc.constantFrom(0, 1, 2, 5, 5, 5, 10, 10),
      refillPerSecond: fc.constantFrom(0.5, 200 / 60, 200 / 60, 200 / 60, 7),
    }),
    concurrency: fc.constantFrom(undefined, undefined, undefined, 4),
    leaseMs: fc.constantFrom(400, 5_000, 90_000),
  }),
  share: fc.record({
    weight: fc.constantFrom(1, 1, 2, 0.5, 1 / 3),
    priority: fc.constantFrom('interactive' as const, 'interactive' as const, 'batch' as const),
  }),
  ticket: fc.option(
    fc.integer({ min: 0, max: 30 }).map((n) => `s${n}`),
    { nil: undefined },
  ),
  calls: fc.constantFrom(undefined, undefined, 1, 2, 3),
});

const shown = (what: string, value: unknown, run: Step): Action => ({ shown: `${what} ${JSON.stringify(value)}`, run });
const pause = (keyId: string): fc.Arbitrary<Action> =>
  fc.constantFrom(1, 300, 4_000).map((forMs) => shown('pause', { keyId, forMs }, (store) => store.pause(keyId, forMs)));
// ms, down to a microsecond
const longWait = fc.constantFrom(0.001, 0.5, 3, 250.125, 1_000, 61_000, 5 * 3_600_000, 7 * 86_400_000).map((wait) => ({ wait }));
const shortWait = fc.constantFrom(0.001, 3, 300, 300, 1_000, 1_900.5, 5_000, 30_000, 600_000).map((wait) => ({ wait }));
const ofTenants: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: tenantTake.map((take) => shown('take', take, (store) => store.takeTenant(take))) },
  { weight: 1, arbitrary: tenantTake.map((take) => shown('return', take, (store) => store.giveBack(ofTenant(take)))) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(tenantTake, takeId, fc.constantFrom(1, 4_000, 100_000))
      .map(([take, ticket, forMs]) => shown('keep', { take, ticket, forMs }, (store) => store.keep(ofTenant(take), ticket, forMs))),
  },
  {
    weight: 2,
    arbitrary: tenantTake.map((take) => shown('settle', take, (store) => store.settle(ofTenant(take), take.cost))),
  },
  { weight: 1, arbitrary: tenantTake.map((take) => shown('look', take, (store) => store.inspectTenant(take))) },
  { weight: 1, arbitrary: longWait },
);
const ofKeys: fc.Arbitrary<Action> = fc.oneof(
  { weight: 3, arbitrary: keyTake.map((take) => shown('take key', take, (store) => store.takeKey(take))) },
  { weight: 1, arbitrary: keyTake.map((take) => shown('return key', take, (store) => store.giveBack(ofKey(take)))) },
  { weight: 1, arbitrary: keyTake.map((take) => shown('settle key', take, (store) => store.settle(ofKey(take), 0))) },
  { weight: 1, arbitrary: pause('key_a') },
);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 11, arbitrary: ofTenants },
  { weight: 6, arbitrary: ofKeys },
  { weight: 4, arbitrary: longWait },
);

// What one script does; a look is another one's.
const ofShares: fc.Arbitrary<Action> = fc.oneof(
  { weight: 12, arbitrary: sharedTake.map((take) => shown('take', take, (store) => store.takeKey(take))) },
  { weight: 1, arbitrary: sharedTake.map((take) => shown('return', take, (store) => store.giveBack(ofKey(take)))) },
  { weight: 1, arbitrary: sharedTake.map((take) => shown('settle', take, (store) => store.settle(ofKey(take), 0))) },
  {
    weight: 1,
    arbitrary: sharedTake.map(({ keyId, tenant, takeId: ticket }) =>
      shown('drop', { tenant, ticket }, (store) => store.drop({ keyId, tenant, ticket })),
    ),
  },
);
const sharing: fc.Arbitrary<Action> = fc.oneof(
  { weight: 16, arbitrary: ofShares },
  { weight: 1, arbitrary: sharedTake.map((take) => shown('look', take, (store) => store.inspectKey(take))) },
  { weight: 1, arbitrary: pause('key_s') },
  { weight: 6, arbitrary: shortWait },
);

const outcome = (answer: Promise<unknown>) => answer.then(asSaid, (error: { code?: string }) => ({ threw: error.code }));

/** What a decision says, whoever works it out and when. */
function asSaid(answer: unknown): unknown {
  if (typeof answer !== 'object' || answer === null || !('admitted' in answer) || answer.admitted !== true) return answer;
  const { admitted, limits, shadowed, by } = answer as Admitted;
  return { admitted, limits, shadowed, by };
}

describe('Redis and memory', () => {
  const redis = new Redis(redisUrl);
  const run = `limiter-${randomUUID()}`;
  afterAll(async () => {
    const keys = await redis.keys(`${run}:*`);
    if (keys.length > 0) await redis.unlink(keys);
    await redis.quit();
  });

  async function decideAlike(of: fc.Arbitrary<Action>, lengths: { minLength: number; maxLength: number }): Promise<void> {
    let schedule = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(of, lengths), async (actions) => {
        let now = NOON;
        const memory = memoryLimiterStore({ clock: () => now });
        const lua = redisLimiterStore(redis, { prefix: `${run}:${randomUUID()}`, testClock: () => now });
        schedule += 1;
        for (const each of actions) {
          if ('wait' in each) now += each.wait;
          else expect({ [each.shown]: await outcome(each.run(lua)) }).toEqual({ [each.shown]: await outcome(each.run(memory)) });
        }
        await memory.close();
      }),
      { numRuns: 200, interruptAfterTimeLimit: 4_000, markInterruptAsFailure: false },
    );
    expect(schedule).toBeGreaterThan(5);
  }

  it('decide alike on any schedule of takes, raises, returns, settlements, tickets, shadows, changed limits and time', () =>
    decideAlike(action, { minLength: 5, maxLength: 60 }));

  it('decide alike on any schedule on a shared key: weights, tickets, priorities, slots missed and dropped, changed limits and time', () =>
    decideAlike(sharing, { minLength: 20, maxLength: 120 }));

  /** Actions of one tick go together; those of a slot are decided in the order in which they were asked. */
  async function decideBurstsAlike(of: fc.Arbitrary<Action>): Promise<void> {
    let bursts = 0;
    const rounds = fc.array(fc.array(of, { minLength: 5, maxLength: 200 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(rounds, async (all) => {
        let now = NOON;
        const memory = memoryLimiterStore({ clock: () => now });
        const lua = redisLimiterStore(redis, { prefix: `${run}:${randomUUID()}`, testClock: () => now, alone: 0 });
        for (const burst of all) {
          const steps = burst.flatMap((each) => ('wait' in each ? [] : [each]));
          const decide = (store: LimiterStore) => Promise.all(steps.map(async (each) => ({ [each.shown]: await outcome(each.run(store)) })));
          expect(await decide(lua)).toEqual(await decide(memory));
          bursts += 1;
          for (const each of burst) if ('wait' in each) now += each.wait;
        }
        await memory.close();
      }),
      { numRuns: 60, interruptAfterTimeLimit: 4_000, markInterruptAsFailure: false },
    );
    expect(bursts).toBeGreaterThan(5);
  }

  it('decide alike when a burst on tenants’ slots goes in a few scripts instead of one a call: takes, raises, returns, settlements, tickets', () =>
    decideBurstsAlike(ofTenants));

  it('decide alike when a burst on a shared key goes in a few scripts instead of one a call', () => decideBurstsAlike(fc.oneof({ weight: 12, arbitrary: ofShares }, { weight: 1, arbitrary: shortWait })));
});

import type { LimitOverride, PlanTerms } from '@weir/contracts';
import { memoryLimiterStore } from './memory-store';
import { NOON, keyTake, tenantTake } from './samples';
import { keyLimits, tenantLimits } from './tenant-limits';

const terms = {
  dailyCredits: 5_000,
  monthlyCredits: null,
  bucket: { capacity: 60, refillPerSecond: 2 },
  endpointBuckets: { userid: { capacity: 5, refillPerSecond: 1 } },
  concurrency: 5,
} as unknown as PlanTerms;

const override = (over: Partial<LimitOverride>): LimitOverride => ({
  name: 'daily-quota',
  limit: 7,
  refillPerSecond: null,
  expiresAt: null,
  ...over,
});
const limits = (overrides: readonly LimitOverride[], of: Partial<PlanTerms> = {}, now = NOON) =>
  tenantLimits({ terms: { ...terms, ...of }, overrides, leaseMs: 60_000, now });

describe("a tenant's limits", () => {
  it('are those of its plan', () =>
    expect(limits([])).toEqual({
      bucket: { capacity: 60, refillPerSecond: 2 },
      endpointBuckets: { userid: { capacity: 5, refillPerSecond: 1 } },
      dailyCredits: 5_000,
      monthlyCredits: undefined,
      concurrency: 5,
      leaseMs: 60_000,
    }));

  it('are replaced one by one by overrides', () =>
    expect(
      limits([
        override({ limit: 7 }),
        override({ name: 'monthly-quota', limit: 8 }),
        override({ name: 'concurrency', limit: 9 }),
      ]),
    ).toMatchObject({
      dailyCredits: 7,
      monthlyCredits: 8,
      concurrency: 9,
      bucket: { capacity: 60 },
    }));

  it("keep the plan's rate when an override gives a capacity alone", () => {
    expect(limits([override({ name: 'tenant-bucket', limit: 10 })]).bucket).toEqual({ capacity: 10, refillPerSecond: 2 });
    expect(limits([override({ name: 'tenant-bucket', limit: 10, refillPerSecond: 3 })]).bucket).toEqual({
      capacity: 10,
      refillPerSecond: 3,
    });
  });

  it("are the plan's again from the instant at which an override expires", () => {
    const until = override({ limit: 7, expiresAt: NOON });
    expect([NOON - 1, NOON].map((now) => limits([until], {}, now).dailyCredits)).toEqual([7, 5_000]);
  });

  it.each([
    { bucket: { capacity: 1e9, refillPerSecond: 0.001 } },
    { bucket: { capacity: 10.5, refillPerSecond: 1e-12 } },
    { bucket: { capacity: 1e9, refillPerSecond: 385.8 } },
    { dailyCredits: 1e15, concurrency: 1e12 },
  ])('are ones that the limiter takes, whatever the plan says: %j', async (of) => {
    const store = memoryLimiterStore({ clock: () => NOON });
    expect(await store.takeTenant(tenantTake({ limits: limits([], of) }))).toBeDefined();
    await store.close();
  });
});

describe("an upstream key's limits", () => {
  const keyRate = { perMinute: 200, burst: 50 };

  it("are the catalog's until a ceiling is heard of", () =>
    expect(keyLimits({ ceiling: undefined, keyRate, leaseMs: 1 })).toEqual({
      bucket: { capacity: 50, refillPerSecond: 200 / 60 },
      concurrency: undefined,
      leaseMs: 1,
    }));

  it('are the ceiling, in which no concurrency is no limit', async () => {
    const ceiling = { keyId: 'key_a', perMinute: 60, burst: 5, concurrency: 0 } as const;
    expect(keyLimits({ ceiling, keyRate, leaseMs: 1 })).toMatchObject({
      bucket: { capacity: 5, refillPerSecond: 1 },
      concurrency: undefined,
    });
    expect(keyLimits({ ceiling: { ...ceiling, concurrency: 3 }, keyRate, leaseMs: 1 }).concurrency).toBe(3);
    const store = memoryLimiterStore({ clock: () => NOON });
    expect((await store.takeKey(keyTake({ limits: keyLimits({ ceiling, keyRate, leaseMs: 1 }) }))).admitted).toBe(true);
    await store.close();
  });
});

import type { LimitOverride, PlanTerms } from '@weir/contracts';
import { memoryLimiterStore } from './memory-store';
import { NOON, keyTake, tenantTake } from './samples';
import { keyLimits, tenantPolicies } from './tenant-limits';

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
  shadow: false,
  ...over,
});
const ENDPOINTS = ['userid', 'user-posts', 'user-followers'];
const policies = (overrides: readonly LimitOverride[], of: Partial<PlanTerms> = {}, now = NOON) =>
  tenantPolicies({ terms: { ...terms, ...of }, overrides, endpoints: ENDPOINTS, leaseMs: 60_000, now });
const limits = (...policy: Parameters<typeof policies>) => policies(...policy).enforced;

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

  it('are replaced by the pattern that covers them, unless another override says more of their name', () => {
    const all = limits([
      override({ name: 'endpoint:*', limit: 60 }),
      override({ name: 'endpoint:user-*', limit: 6, refillPerSecond: 3 }),
      override({ name: 'endpoint:user-posts', limit: 4, refillPerSecond: 4 }),
      override({ name: '*-quota', limit: 9 }),
    ]);
    expect(all).toMatchObject({ bucket: terms.bucket, dailyCredits: 9, monthlyCredits: 9 });
    expect(all.endpointBuckets).toEqual({
      userid: { capacity: 60, refillPerSecond: 1 },
      'user-posts': { capacity: 4, refillPerSecond: 4 },
      'user-followers': { capacity: 6, refillPerSecond: 3 },
    });
  });

  it('gain a bucket for an endpoint that the plan has none for, full again in a minute unless it says otherwise', () =>
    expect(limits([override({ name: 'endpoint:user-posts', limit: 120 })]).endpointBuckets).toMatchObject({
      'user-posts': { capacity: 120, refillPerSecond: 2 },
    }));

  it('hold as they are while others are tried in the shadow', () => {
    const shadow = override({ name: 'daily-quota', limit: 1, shadow: true });
    expect(policies([]).shadow).toBeUndefined();
    expect(policies([shadow])).toMatchObject({
      enforced: { dailyCredits: 5_000, bucket: terms.bucket },
      shadow: { dailyCredits: 1, bucket: undefined, endpointBuckets: {}, concurrency: undefined },
    });
    expect(policies([shadow, override({ limit: 4 })])).toMatchObject({ enforced: { dailyCredits: 4 }, shadow: { dailyCredits: 1 } });
  });

  it('are out of force, and decide in the shadow, under a shadow override without a limit of its own', () => {
    const { enforced, shadow } = policies([override({ name: '*', limit: null, shadow: true }), override({ limit: 4 })]);
    expect(enforced).toEqual({
      bucket: undefined,
      endpointBuckets: {},
      dailyCredits: undefined,
      monthlyCredits: undefined,
      concurrency: undefined,
      leaseMs: 60_000,
    });
    expect(shadow).toMatchObject({ ...terms, dailyCredits: 4, monthlyCredits: undefined });
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
    const configured = { perMinute: 200, burst: 50 };
    const learned = { configured, loweredAt: null, pausedUntil: null };
    const ceiling = { keyId: 'key_a', owner: 'ten_a', perMinute: 60, burst: 5, concurrency: 0, ...learned } as const;
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

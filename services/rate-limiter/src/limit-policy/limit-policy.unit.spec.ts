import type { LimitOverride, LimitPolicyEvent } from '@weir/contracts';
import { fact, type Decide } from '@weir/kernel';
import { limitPolicy, removeOverride, setOverride, type LimitPolicy } from './limit-policy';

const NOW = 1_000;
const daily = (over: Partial<LimitOverride> = {}): LimitOverride => ({
  name: 'daily-quota',
  limit: 10,
  refillPerSecond: null,
  expiresAt: NOW + 1,
  ...over,
});
const set = (override: LimitOverride) => fact('limit-policy.override-set', override);
const removed = fact('limit-policy.override-removed', { name: 'daily-quota' } as const);

const decide = (given: readonly LimitPolicyEvent[], decision: Decide<LimitPolicy, LimitPolicyEvent>) =>
  decision(given.reduce(limitPolicy.evolve, limitPolicy.initial));

describe('a limit policy', () => {
  it('takes an override', () => expect(decide([], setOverride(daily(), NOW))).toEqual([set(daily())]));

  it('takes the same override once, and another in its place', () => {
    expect(decide([set(daily())], setOverride(daily(), NOW))).toEqual([]);
    expect(decide([set(daily())], setOverride(daily({ limit: 11 }), NOW))).toEqual([set(daily({ limit: 11 }))]);
    expect(decide([set(daily())], setOverride(daily({ expiresAt: null }), NOW))).toEqual([set(daily({ expiresAt: null }))]);
  });

  it('takes it again after it was removed', () =>
    expect(decide([set(daily()), removed], setOverride(daily(), NOW))).toEqual([set(daily())]));

  it('removes what is there, and is done already when nothing is', () => {
    expect(decide([set(daily())], removeOverride('daily-quota'))).toEqual([removed]);
    expect(decide([set(daily())], removeOverride('concurrency'))).toEqual([]);
    expect(decide([set(daily()), removed], removeOverride('daily-quota'))).toEqual([]);
  });

  it('refuses an expiry that has passed', () =>
    expect(() => decide([], setOverride(daily({ expiresAt: NOW }), NOW))).toThrow(
      expect.objectContaining({ code: 'invalid-request' }),
    ));

  it('refuses a rate for a limit that has none', () => {
    expect(() => decide([], setOverride(daily({ refillPerSecond: 1 }), NOW))).toThrow(
      expect.objectContaining({ code: 'invalid-request' }),
    );
    const bucket = daily({ name: 'tenant-bucket', refillPerSecond: 1 });
    expect(decide([], setOverride(bucket, NOW))).toEqual([set(bucket)]);
  });
});

import type { LimitOverride, LimitPolicyEvent } from '@weir/contracts';
import { fact, type Decide } from '@weir/kernel';
import { LimitNames } from './limit-names';
import { limitPolicy, removeOverride, setOverride, type LimitPolicy } from './limit-policy';

const NOW = 1_000;
/** Endpoints of two upstreams. */
const THERE = new LimitNames(['userid', 'quote']);
const daily = (over: Partial<LimitOverride> = {}): LimitOverride => ({
  name: 'daily-quota',
  limit: 10,
  refillPerSecond: null,
  expiresAt: NOW + 1,
  shadow: false,
  ...over,
});
const set = (override: LimitOverride) => fact('limit-policy.override-set', override);
const removed = fact('limit-policy.override-removed', { name: 'daily-quota', shadow: false });

const decide = (given: readonly LimitPolicyEvent[], decision: Decide<LimitPolicy, LimitPolicyEvent>) =>
  decision(given.reduce(limitPolicy.evolve, limitPolicy.initial));

describe('a limit policy', () => {
  it('takes an override', () => expect(decide([], setOverride(daily(), NOW, THERE))).toEqual([set(daily())]));

  it('takes the same override once, and another in its place', () => {
    expect(decide([set(daily())], setOverride(daily(), NOW, THERE))).toEqual([]);
    expect(decide([set(daily())], setOverride(daily({ limit: 11 }), NOW, THERE))).toEqual([set(daily({ limit: 11 }))]);
    expect(decide([set(daily())], setOverride(daily({ expiresAt: null }), NOW, THERE))).toEqual([set(daily({ expiresAt: null }))]);
  });

  it('takes it again after it was removed', () =>
    expect(decide([set(daily()), removed], setOverride(daily(), NOW, THERE))).toEqual([set(daily())]));

  it('removes what is there, and is done already when nothing is', () => {
    expect(decide([set(daily())], removeOverride('daily-quota', undefined))).toEqual([removed]);
    expect(decide([set(daily())], removeOverride('concurrency', undefined))).toEqual([]);
    expect(decide([set(daily()), removed], removeOverride('daily-quota', undefined))).toEqual([]);
  });

  it('refuses an expiry that has passed', () =>
    expect(() => decide([], setOverride(daily({ expiresAt: NOW }), NOW, THERE))).toThrow(
      expect.objectContaining({ code: 'invalid-request' }),
    ));

  it('keeps a trial in the shadow beside what holds, and ends one or both', () => {
    const trial = daily({ shadow: true, limit: 3 });
    const both = [set(daily()), set(trial)];
    const ended = fact('limit-policy.override-removed', { name: 'daily-quota', shadow: true });
    expect(decide([set(daily())], setOverride(trial, NOW, THERE))).toEqual([set(trial)]);
    expect(decide(both, setOverride(daily(), NOW, THERE))).toEqual([]);
    expect(decide(both, removeOverride('daily-quota', true))).toEqual([ended]);
    expect(decide(both, removeOverride('daily-quota', false))).toEqual([removed]);
    expect(decide(both, removeOverride('daily-quota', undefined))).toEqual([removed, ended]);
  });

  it.each([
    ['a limit that there is not', { name: 'endpoint:nothing' }, 'unknown-limit'],
    ['a pattern that covers no limit', { name: 'x*' }, 'unknown-limit'],
    ['no limit, where it is no trial', { limit: null }, 'invalid-request'],
    ['one number for credits, calls and slots', { name: '*' }, 'invalid-request'],
    ['a rate without a limit', { name: 'tenant-bucket', limit: null, shadow: true, refillPerSecond: 1 }, 'invalid-request'],
  ])('refuses %s', (_, over, code) =>
    expect(() => decide([], setOverride(daily(over), NOW, THERE))).toThrow(expect.objectContaining({ code })),
  );

  it.each([
    { name: 'endpoint:*' },
    { name: 'endpoint:userid', refillPerSecond: 2 },
    { name: 'endpoint:quote' },
    { name: '*-quota' },
    { name: '*-bucket' },
    { name: '*', limit: null, shadow: true },
  ])('takes names and patterns: %j', (over) =>
    expect(decide([], setOverride(daily(over), NOW, THERE))).toEqual([set(daily(over))]),
  );

  it('refuses a rate for a limit that has none', () => {
    expect(() => decide([], setOverride(daily({ refillPerSecond: 1 }), NOW, THERE))).toThrow(
      expect.objectContaining({ code: 'invalid-request' }),
    );
    const bucket = daily({ name: 'tenant-bucket', refillPerSecond: 1 });
    expect(decide([], setOverride(bucket, NOW, THERE))).toEqual([set(bucket)]);
  });
});

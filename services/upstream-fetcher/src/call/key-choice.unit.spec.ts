import type { UpstreamKeyState } from '@weir/contracts';
import { PLATFORM, type KeyId, type TenantId } from '@weir/kernel';
import { chooseKeys, type KeyFacts } from './key-choice';

const NOW = 1_000_000;
const key = (id: string, owner: TenantId, change: Partial<UpstreamKeyState> = {}): UpstreamKeyState => ({
  id: `key_${id}` as KeyId,
  owner,
  status: 'usable',
  active: 1,
  weight: 1,
  scopes: [],
  versions: [],
  ...change,
});
const own = (change?: Partial<UpstreamKeyState>) => key('own', 'ten_a', change);
const platform = (id = 'p', change?: Partial<UpstreamKeyState>) => key(id, PLATFORM, change);

const choose = (facts: Partial<KeyFacts>) =>
  chooseKeys({
    mode: 'shared',
    fallback: false,
    trialEndsAt: null,
    own: [],
    platform: [platform()],
    now: NOW,
    random: () => 0.5,
    ...facts,
  });
const idsOf = (facts: Partial<KeyFacts>) => choose(facts).candidates.map(({ key: { id } }) => id.slice('key_'.length));
const otherwise = (facts: Partial<KeyFacts>) => choose(facts).otherwise().code;

describe('whose key a call uses', () => {
  it("shared: the platform's, and never an own one", () => {
    expect(idsOf({ own: [own()] })).toEqual(['p']);
    expect(choose({}).owner).toBe('platform');
  });

  it('shared: refused when the trial is over, to the millisecond', () => {
    expect(() => choose({ trialEndsAt: NOW })).toThrow(expect.objectContaining({ code: 'trial-ended' }));
    expect(idsOf({ trialEndsAt: NOW + 1 })).toEqual(['p']);
  });

  it('shared: 503 when no platform key can be used', () => {
    const none = { platform: [platform('a', { status: 'quarantined' }), platform('b', { active: null })] };
    expect(idsOf(none)).toEqual([]);
    expect(otherwise(none)).toBe('upstream-unavailable');
  });

  it('byo: the own key alone, trial or not', () => {
    expect(idsOf({ mode: 'byo', own: [own()], trialEndsAt: 0, fallback: true })).toEqual(['own']);
  });

  it('byo: 409 until a version is active', () => {
    for (const keys of [[], [own({ active: null })]]) {
      expect(() => choose({ mode: 'byo', own: keys })).toThrow(expect.objectContaining({ code: 'upstream-key-missing' }));
    }
  });

  it.each([
    ['invalid', 'upstream-key-invalid'],
    ['depleted', 'upstream-credits-depleted'],
    ['quarantined', 'upstream-unavailable'],
  ] as const)('byo: an own key that is %s answers %s', (status, code) => {
    expect(idsOf({ mode: 'byo', own: [own({ status })] })).toEqual([]);
    expect(otherwise({ mode: 'byo', own: [own({ status })] })).toBe(code);
  });

  it("hybrid: the platform's until the own key is active, then the own one", () => {
    expect(idsOf({ mode: 'hybrid' })).toEqual(['p']);
    expect(idsOf({ mode: 'hybrid', own: [own({ active: null })] })).toEqual(['p']);
    expect(idsOf({ mode: 'hybrid', own: [own()] })).toEqual(['own']);
    expect(() => choose({ mode: 'hybrid', trialEndsAt: NOW })).toThrow(expect.objectContaining({ code: 'trial-ended' }));
  });

  it("hybrid: the platform's behind the own one where the plan falls back and the trial is not over", () => {
    expect(idsOf({ mode: 'hybrid', own: [own()], fallback: true })).toEqual(['own', 'p']);
    expect(idsOf({ mode: 'hybrid', own: [own({ status: 'invalid' })], fallback: true })).toEqual(['p']);
    expect(idsOf({ mode: 'hybrid', own: [own({ status: 'invalid' })], fallback: true, trialEndsAt: NOW })).toEqual([]);
    expect(otherwise({ mode: 'hybrid', own: [own({ status: 'invalid' })] })).toBe('upstream-key-invalid');
  });

  it("says whose answers may come from the cache: the first key's", () => {
    expect(choose({ mode: 'hybrid', own: [own()], fallback: true }).owner).toBe('own');
    expect(choose({ mode: 'hybrid', own: [own({ status: 'depleted' })], fallback: true }).owner).toBe('platform');
  });

  it('puts each key of the pool first as often as its weight says', () => {
    let seed = 7;
    const random = () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
    const pool = [platform('light', { weight: 1 }), platform('heavy', { weight: 3 })];
    const first = Array.from({ length: 4_000 }, () => idsOf({ platform: pool, random })[0]);
    const heavy = first.filter((id) => id === 'heavy').length;
    expect(heavy).toBeGreaterThan(2_850);
    expect(heavy).toBeLessThan(3_150);
  });
});

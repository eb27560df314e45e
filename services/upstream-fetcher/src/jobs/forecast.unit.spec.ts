import { finishOf, type Load } from './forecast';

const MINUTE = 60_000;
const NIGHT = Date.UTC(2026, 10, 25, 2);
const TOMORROW = NIGHT + 2 * 86_400_000;
let queues = 0;
const load = (calls: number, more: Partial<Load> = {}): Load => ({ queue: String(queues++), from: NIGHT, calls, weight: 1, perMinute: Infinity, leftToday: Infinity, perDay: Infinity, ...more });
const minutes = (loads: [Load, ...Load[]], perMinute = 200) => {
  const at = finishOf(loads, { perMinute, burst: 0 }, NIGHT, TOMORROW);
  return at === undefined ? undefined : Math.round((at - NIGHT) / MINUTE);
};

describe('when a job is done', () => {
  it('alone it has the whole key', () => expect(minutes([load(2_000)])).toBe(10));
  it('its own limit may be lower than the key', () => expect(minutes([load(2_000, { perMinute: 50 })])).toBe(40));
  it('what the key gives at once goes as fast as the job may, while it lasts', () => {
    const seconds = (calls: number) => Math.round(((finishOf([load(calls, { perMinute: 320 })], { perMinute: 200, burst: 50 }, NIGHT, TOMORROW) ?? NaN) - NIGHT) / 1_000);
    // 320 a minute for 25 s, which is 133 calls, then 200 a minute
    expect([64, 133, 333].map(seconds)).toEqual([12, 25, 85]);
  });
  it('it shares the key by weight, and has what others leave', () => {
    expect(minutes([load(2_000), load(10_000)])).toBe(20);
    expect(minutes([load(2_000), load(10_000, { weight: 3 })])).toBe(40);
    expect(minutes([load(2_000), load(10_000, { perMinute: 20 })])).toBe(11);
  });
  it('it goes faster when a smaller one has ended, and slower from when another comes', () => {
    expect(minutes([load(2_000), load(500)])).toBe(13);
    expect(minutes([load(2_000), load(10_000, { from: NIGHT + 5 * MINUTE })])).toBe(15);
  });
  it('two loads of one queue are done one after the other, and have one share', () => {
    expect(minutes([load(2_000), load(10_000, { queue: 'other' }), load(10_000, { queue: 'other' })])).toBe(20);
  });
  it('what the day’s quota does not hold waits for the next day', () => {
    expect(minutes([load(2_000, { leftToday: 1_000, perDay: 5_000 })])).toBe(22 * 60 + 5);
    expect(minutes([load(20_000, { leftToday: 1_000, perDay: 1_000 })])).toBeUndefined();
  });
  it('one that cannot be done by then has no time', () => {
    expect(finishOf([load(100_000)], { perMinute: 200, burst: 50 }, NIGHT, NIGHT + 60 * MINUTE)).toBeUndefined();
    expect(minutes([load(10)], 0)).toBeUndefined();
  });
  it('nothing to fetch is done now', () => expect(minutes([load(0)])).toBe(0));
});

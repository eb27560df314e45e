import type { KeyCeilingEvent, UpstreamSignal } from '@weir/contracts';
import { PLATFORM, fact, newId, type Decide, type KeyId } from '@weir/kernel';
import { appear, ceilingOf, configure, drop, keyCeiling, learn, raise, toState, type KeyCeiling } from './key-ceiling';

const KEY: KeyId = newId('key');
const T = 1_000_000_000;
const SOLD = { perMinute: 200, burst: 50, concurrency: 0 };

const configured = fact('key-ceiling.configured', { keyId: KEY, ...SOLD });
const after = (events: readonly KeyCeilingEvent[]): KeyCeiling => events.reduce(keyCeiling.evolve, keyCeiling.initial);
const decide = (given: readonly KeyCeilingEvent[], decision: Decide<KeyCeiling, KeyCeilingEvent>) => decision(after(given));
/** All that follows, one decision after the other. */
const play = (given: readonly KeyCeilingEvent[], ...decisions: Decide<KeyCeiling, KeyCeilingEvent>[]): readonly KeyCeilingEvent[] =>
  decisions.reduce((events, decision) => [...events, ...decide(events, decision)], given);

const signal = (over: Partial<UpstreamSignal> = {}): UpstreamSignal => ({
  eventId: 'signal',
  keyId: KEY,
  keyVersion: 1,
  owner: PLATFORM,
  tenantId: 'ten_a',
  signal: 'rate-limited',
  endpoint: 'userid',
  retryAfterMs: 2_000,
  requestId: 'req_a',
  at: T,
  ...over,
});
const perMinute = (events: readonly KeyCeilingEvent[]) => ceilingOf(after(events));

describe("a key's ceiling", () => {
  it('is what the upstream sells until somebody configures it, which an appearance does not undo', () => {
    expect(decide([], appear(KEY, undefined, SOLD))).toEqual([configured]);
    const more = { ...SOLD, perMinute: 12_000 };
    const events = play([configured], configure(KEY, () => more), appear(KEY, undefined, SOLD));
    expect(perMinute(events)).toBe(12_000);
    expect(play(events, configure(KEY, () => more))).toEqual(events);
  });

  it('knows whose key it is: what its upstream sells every key holds again when nothing else is configured any more', () => {
    const sells = (upstream: string | undefined) => (upstream === 'quotes' ? { perMinute: 900, burst: 90, concurrency: 0 } : SOLD);
    const events = play([], appear(KEY, 'quotes', sells('quotes')), configure(KEY, () => ({ ...SOLD, perMinute: 5 })), configure(KEY, sells));
    expect(events.map(({ data }) => data)).toMatchObject([900, 5, 900].map((perMinute) => ({ perMinute, upstream: 'quotes' })));
    expect(toState(KEY, PLATFORM, after(events))).toMatchObject({ upstream: 'quotes', perMinute: 900 });
  });

  it('falls by a share with a refusal, once for the crowd that was under way', () => {
    const events = play([configured], learn(signal()), learn(signal({ at: T + 9_000 })), learn(signal({ at: T - 1 })));
    expect(events.slice(1)).toEqual([fact('key-ceiling.lowered', { keyId: KEY, perMinute: 140, retryAfterMs: 2_000, signalId: 'signal', at: T })]);
    expect(perMinute(play(events, learn(signal({ at: T + 10_001 }))))).toBe(98);
  });

  it('teaches nothing twice: a signal that comes again changes nothing', () => {
    const first = play([configured], learn(signal()), learn(signal({ at: T + 60_000, statedPerMinute: 90 })));
    expect(play(first, learn(signal()), learn(signal({ at: T + 60_000, statedPerMinute: 90 })))).toEqual(first);
  });

  it('never falls to nothing', () => {
    const refusals = Array.from({ length: 100 }, (_, i) => learn(signal({ at: T + i * 20_000 })));
    expect(perMinute(play([configured], ...refusals))).toBe(10);
  });

  it('rises step by step with each quiet minute, never above what is configured, and is forgotten there', () => {
    const lowered = play([configured], learn(signal()));
    const minutes = Array.from({ length: 20 }, (_, i) => T + (i + 1) * 60_000);
    const seen = minutes.map((now, i) => perMinute(play(lowered, ...minutes.slice(0, i).map((at) => raise(KEY, at)), raise(KEY, now))));
    expect(seen.slice(0, 7)).toEqual([150, 160, 170, 180, 190, 200, 200]);
    const back = play(lowered, ...minutes.map((now) => raise(KEY, now)));
    expect(back.filter(({ type }) => type === 'key-ceiling.raised')).toHaveLength(6);
    expect(after(back).learned).toBeUndefined();
  });

  it('does not rise within a minute of a refusal or of its last step', () => {
    const lowered = play([configured], learn(signal()));
    expect(decide(lowered, raise(KEY, T + 59_999))).toEqual([]);
    const raised = play(lowered, raise(KEY, T + 60_000));
    expect(decide(raised, raise(KEY, T + 119_999))).toEqual([]);
    expect(decide(play(raised, learn(signal({ at: T + 100_000 }))), raise(KEY, T + 120_000))).toEqual([]);
  });

  it('is at most what the headers state, while they do', () => {
    const stated = play([configured], learn(signal({ signal: 'rate-stated', retryAfterMs: null, statedPerMinute: 90 })));
    expect(perMinute(stated)).toBe(90);
    expect(perMinute(play(stated, learn(signal({ signal: 'rate-stated', at: T + 1, statedPerMinute: 500 }))))).toBe(200);
    expect(perMinute(play(stated, learn(signal({ signal: 'rate-stated', at: T - 1, statedPerMinute: 10 }))))).toBe(90);
  });

  it('shrinks its burst with its rate, and says until when the upstream wanted to be left alone', () => {
    expect(toState(KEY, PLATFORM, after(play([configured], learn(signal()))))).toEqual({
      keyId: KEY,
      owner: PLATFORM,
      perMinute: 140,
      burst: 35,
      concurrency: 0,
      configured: { perMinute: 200, burst: 50 },
      loweredAt: T,
      pausedUntil: T + 2_000,
    });
  });

  it('goes with its key, and learns nothing without one', () => {
    expect(toState(KEY, PLATFORM, after(play([configured], drop(KEY))))).toBeNull();
    expect(play([configured], drop(KEY), drop(KEY))).toHaveLength(2);
    expect(decide([], learn(signal()))).toEqual([]);
  });
});

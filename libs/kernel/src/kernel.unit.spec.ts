import fc from 'fast-check';
import { AppError, canonicalJson, idFrom, idTimeMs, isTransient, newId, newUuid, parseId, sleep, utcDay, utcMonth, uuidFrom } from './index';

const NOON = Date.UTC(2026, 10, 24, 12);

describe('an id', () => {
  it('is a UUIDv7 in base 32 that tells when it was made and sorts by time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 47 }), fc.integer({ min: 1, max: 10_000 }), (at, later) => {
        const [a, b] = [newId('ten', at), newId('ten', at + later)];
        expect(parseId('ten', a)).toBe(a);
        expect(idTimeMs(a)).toBe(at);
        expect(a < b).toBe(true);
      }),
    );
  });

  it('is refused with another prefix, another alphabet or another length', () => {
    const id = newId('ten');
    for (const text of [id.replace('ten_', 'key_'), id.toUpperCase(), `${id}0`, id.slice(0, -1), 'ten_platform', `ten_${'i'.repeat(26)}`, `ten_8${id.slice(5)}`]) {
      expect(parseId('ten', text)).toBeUndefined();
    }
  });

  it('made from a command is the same for every retry of it, and another for another', () => {
    expect(idFrom('tok', 'command', NOON)).toBe(idFrom('tok', 'command', NOON));
    expect(idFrom('tok', 'command', NOON)).not.toBe(idFrom('tok', 'other', NOON));
    expect(uuidFrom('command', NOON)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(newUuid(NOON)).not.toBe(newUuid(NOON));
  });
});

describe('canonical JSON', () => {
  it('is one text for equal values, whatever the order of their members', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const shuffled = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJson(shuffled)).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('sorts members by code units and leaves out what is undefined (RFC 8785, 3.2.3)', () => {
    const text = canonicalJson({ '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u00f6': 6, gone: undefined });
    expect(text).toBe('{"\\r":2,"1":4,"\u00f6":6,"\u20ac":1,"\ud83d\ude00":5,"\ufb33":3}');
  });

  it('keeps integers past 2^53 that come as bigints, and refuses what JSON cannot hold', () => {
    expect(canonicalJson({ n: 2n ** 53n + 1n })).toBe('{"n":9007199254740993}');
    for (const value of [NaN, Infinity, [undefined], () => 1]) expect(() => canonicalJson(value)).toThrow(TypeError);
  });
});

describe('an error', () => {
  it('is tried again by a consumer when a part is away, and not when the message is bad', () => {
    expect(isTransient(new AppError('x', 'unavailable', 'm'))).toBe(true);
    expect(isTransient(Object.assign(new Error(), { code: 'ECONNREFUSED' }))).toBe(true);
    expect(isTransient(Object.assign(new Error(), { code: '40P01' }))).toBe(true);
    expect(isTransient(new AppError('x', 'invalid', 'm'))).toBe(false);
    expect(isTransient(new TypeError())).toBe(false);
    expect(isTransient(Object.assign(new Error(), { code: '23505' }))).toBe(false);
  });
});

describe('the clock', () => {
  it('counts days and months in UTC', () => {
    const lastMs = Date.UTC(2026, 11, 1) - 1;
    expect([utcDay(lastMs), utcMonth(lastMs), utcDay(lastMs + 1), utcMonth(lastMs + 1)]).toEqual(['2026-11-30', '2026-11', '2026-12-01', '2026-12']);
  });

  it('sleeps no longer than until it is called off', async () => {
    const off = new AbortController();
    const asleep = sleep(60_000, off.signal);
    off.abort();
    await expect(asleep).resolves.toBeUndefined();
  });
});

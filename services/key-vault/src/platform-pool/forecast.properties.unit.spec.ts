import fc from 'fast-check';
import { forecast, type Balance } from './forecast';

const DAY = 86_400_000;

/** As a key's credits go: spent bit by bit, now and then bought. */
const balances = fc
  .array(fc.record({ after: fc.integer({ min: 60_000, max: DAY }), spent: fc.nat(1_000), bought: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(50_000) }) }), { minLength: 1, maxLength: 60 })
  .map((steps) => {
    let [at, credits] = [0, 100_000];
    return [{ at, credits }, ...steps.map(({ after, spent, bought }): Balance => ({ at: (at += after), credits: (credits += bought - Math.min(spent, credits)) }))];
  });

const each = (holds: (all: readonly Balance[]) => void): void => fc.assert(fc.property(balances, holds), { numRuns: 500 });

describe('the forecast, however credits go', () => {
  it('says what is left as the upstream said it last, and an end that is never in the past', () =>
    each((all) => {
      const last = all.at(-1)!;
      const found = forecast(all)!;
      expect(found.left).toBe(last.credits);
      if (found.endsAt !== null) expect(found.endsAt).toBeGreaterThanOrEqual(last.at);
      if (found.perDay !== null) expect(found.perDay).toBeGreaterThanOrEqual(0);
    }));

  it('moves with the clock and not with the date: the same spending later ends as much later', () =>
    each((all) => {
      const shift = 1_000 * DAY;
      const [now, later] = [forecast(all)!, forecast(all.map(({ at, credits }) => ({ at: at + shift, credits })))!];
      expect(later.perDay).toBe(now.perDay);
      if (now.endsAt === null) expect(later.endsAt).toBeNull();
      else expect(Math.abs(later.endsAt! - shift - now.endsAt)).toBeLessThanOrEqual(1_000);
    }));

  it('is later with more left at the same rate', () =>
    each((all) => {
      const richer = all.map(({ at, credits }) => ({ at, credits: credits + 10_000 }));
      const [now, then] = [forecast(all)!.endsAt, forecast(richer)!.endsAt];
      if (now !== null && then !== null) expect(then).toBeGreaterThanOrEqual(now);
    }));

  it('is exact where credits go evenly', () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 2, max: 7 }), (perDay, days) => {
        const even = Array.from({ length: days + 1 }, (_, day) => ({ at: day * DAY, credits: 100_000 - day * perDay }));
        const found = forecast(even)!;
        expect(found.perDay).toBe(perDay);
        expect(found.endsAt).toBe(Math.round(days * DAY + ((100_000 - days * perDay) / perDay) * DAY));
      }),
    ));
});

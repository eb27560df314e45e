import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import type { BillingTerms } from '../billing/billing';
import { total } from '../billing/money';
import { priceSegment } from './pricing';

interface Golden {
  readonly title: string;
  readonly why: string;
  readonly currency?: string;
  readonly terms: Record<string, unknown> & { model: BillingTerms['model']; tiers?: [number | null, string][] };
  /** First and last day, and the days of the month. */
  readonly days?: [number, number, number];
  readonly credits: number;
  readonly seats: number;
  readonly profiles?: number;
  readonly lines: [item: string, quantity: string, amount: string][];
  readonly total: string;
}

/** Computed by hand; `why` is the sum. */
const GOLDEN = JSON.parse(readFileSync(join(__dirname, '../../fixtures/invoices.json'), 'utf8')) as Golden[];

function termsOf({ terms, currency = 'EUR' }: Pick<Golden, 'terms' | 'currency'>): BillingTerms {
  const { model, tiers, creditsPerUnit, includedPer, includedCredits = 0, ...prices } = terms;
  const money = (amount: unknown = '0') => ({ amount: String(amount), currency });
  return {
    model,
    perCredit: money(prices['perCredit']),
    perSeat: money(prices['perSeat']),
    perMonth: money(prices['perMonth']),
    includedCredits: Number(includedCredits),
    ...(creditsPerUnit === undefined ? {} : { creditsPerUnit: Number(creditsPerUnit) }),
    ...(includedPer === undefined ? {} : { includedPer: includedPer as 'seat' }),
    ...(tiers === undefined ? {} : { tiers: tiers.map(([upTo, price]) => ({ upTo, perCredit: money(price) })) }),
    ...(prices['perThousandProfiles'] === undefined ? {} : { perThousandProfiles: money(prices['perThousandProfiles']) }),
  };
}

const daysOf = ([first, last, of]: [number, number, number] = [1, 30, 30]) => ({ from: `2026-11-${first}`, to: `2026-11-${last}`, days: last - first + 1, daysOfMonth: of });

describe('a month is priced', () => {
  it.each(GOLDEN)('$title: $why', ({ terms, currency = 'EUR', days, credits, seats, profiles = 0, ...expected }) => {
    const lines = priceSegment(termsOf({ terms, currency }), daysOf(days), { credits: BigInt(credits), seats: BigInt(seats), profiles: BigInt(profiles) });
    expect(lines.map(({ item, quantity, amount }) => [item, quantity, amount.amount])).toEqual(expected.lines);
    expect(total(lines.map(({ amount }) => amount), currency)).toEqual({ amount: expected.total, currency });
  });

  it('so that its lines of credits add up to the credits charged, whatever the model, the days and the quantities', () => {
    const month = fc.record({
      which: fc.integer({ min: 0, max: GOLDEN.length - 1 }),
      days: fc.tuple(fc.integer({ min: 1, max: 15 }), fc.integer({ min: 15, max: 31 })),
      credits: fc.bigInt({ min: 0n, max: 10n ** 15n }),
      seats: fc.bigInt({ min: 0n, max: 500n }),
    });
    fc.assert(
      fc.property(month, ({ which, days: [first, last], credits, seats }) => {
        const lines = priceSegment(termsOf(GOLDEN[which] as Golden), daysOf([first, last, 31]), { credits, seats, profiles: credits });
        expect(lines.filter(({ item }) => item.startsWith('credits')).reduce((sum, { quantity }) => sum + BigInt(quantity), 0n)).toBe(credits);
      }),
    );
  });

  it('not at all when the prices are in several currencies', () => {
    const terms = { ...termsOf({ terms: { model: 'usage' } }), perMonth: { amount: '1', currency: 'USD' } };
    expect(() => priceSegment(terms, daysOf(), { credits: 1n, seats: 0n, profiles: 0n })).toThrow(expect.objectContaining({ code: 'mixed-currencies' }));
  });
});

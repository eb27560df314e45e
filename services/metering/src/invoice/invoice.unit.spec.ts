import type { BillingTerms } from '../billing/billing';
import { priceMonth } from './invoice';

const eur = (amount: string) => ({ amount, currency: 'EUR' });
const terms = (model: BillingTerms['model'], given: Partial<BillingTerms> = {}): BillingTerms => ({
  model,
  perCredit: eur('0.0035'),
  perSeat: eur('29.90'),
  perMonth: eur('49.95'),
  includedCredits: 1_000,
  ...given,
});
const MONTH = { credits: 1_234n, seats: 3n };
const linesOf = (priced: ReturnType<typeof priceMonth>) =>
  priced.lines.map(({ item, quantity, unitPrice, amount }) => [item, quantity, unitPrice.amount, amount.amount]);

describe('a month is priced', () => {
  it('free: at nothing, with its credits listed', () => {
    const priced = priceMonth(terms('free'), MONTH);
    expect(linesOf(priced)).toEqual([['credits-included', '1234', '0.00', '0.00']]);
    expect(priced.total).toEqual(eur('0.00'));
  });

  it('flat-seat: by the seat, whatever the credits', () => {
    const priced = priceMonth(terms('flat-seat', { perMonth: eur('0') }), MONTH);
    expect(linesOf(priced)).toEqual([
      ['seats', '3', '29.90', '89.70'],
      ['credits-included', '1234', '0.00', '0.00'],
    ]);
    expect(priced.total).toEqual(eur('89.70'));
  });

  it('seat-plus-overage: by the seat, and by the credit beyond those included', () => {
    const priced = priceMonth(terms('seat-plus-overage', { perMonth: eur('0') }), MONTH);
    expect(linesOf(priced)).toEqual([
      ['seats', '3', '29.90', '89.70'],
      ['credits-included', '1000', '0.00', '0.00'],
      ['credits', '234', '0.0035', '0.819'],
    ]);
    expect(priced.total).toEqual(eur('90.519'));
  });

  it('usage: by the credit', () => {
    const priced = priceMonth(terms('usage', { perMonth: eur('0.00'), includedCredits: 0 }), MONTH);
    expect(linesOf(priced)).toEqual([['credits', '1234', '0.0035', '4.319']]);
    expect(priced.total).toEqual(eur('4.319'));
  });

  it('own-key-fee: by the month, and by the credit', () => {
    const priced = priceMonth(terms('own-key-fee', { includedCredits: 0 }), MONTH);
    expect(linesOf(priced)).toEqual([
      ['month', '1', '49.95', '49.95'],
      ['credits', '1234', '0.0035', '4.319'],
    ]);
    expect(priced.total).toEqual(eur('54.269'));
  });

  it.each(['free', 'flat-seat', 'seat-plus-overage', 'usage', 'own-key-fee'] as const)(
    '%s: the lines of credits add up to the credits charged',
    (model) => {
      for (const credits of [0n, 1n, 999n, 1_000n, 1_001n, 10n ** 15n + 1n]) {
        const { lines } = priceMonth(terms(model), { credits, seats: 1n });
        const sum = lines
          .filter(({ item }) => item.startsWith('credits'))
          .reduce((before, { quantity }) => before + BigInt(quantity), 0n);
        expect(sum).toBe(credits);
      }
    },
  );

  it('not at all when the prices are in several currencies', () => {
    expect(() => priceMonth(terms('usage', { perMonth: { amount: '1', currency: 'USD' } }), MONTH)).toThrow(
      expect.objectContaining({ code: 'mixed-currencies' }),
    );
  });
});

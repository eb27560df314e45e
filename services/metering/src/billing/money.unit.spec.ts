import fc from 'fast-check';
import { formatAmount, isZero, parseAmount, times, total } from './money';

const eur = (amount: string) => ({ amount, currency: 'EUR' });

describe('money', () => {
  it.each([
    ['0', '0.00'],
    ['12', '12.00'],
    ['12.3', '12.30'],
    ['0.004', '0.004'],
    ['0.000001', '0.000001'],
    ['-3.5', '-3.50'],
    ['-0.05', '-0.05'],
    ['999999999999.999999', '999999999999.999999'],
  ])('%s is written %s', (text, written) => {
    expect(formatAmount(parseAmount(text))).toBe(written);
  });

  it('no amount changes by being read and written', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }), (value) => parseAmount(formatAmount(value)) === value),
    );
  });

  it('is exact where floating point is not: 0.1 three times is 0.30, and a million credits at 0.0035 are 3500', () => {
    expect(total([eur('0.1'), eur('0.1'), eur('0.1')], 'EUR')).toEqual(eur('0.30'));
    expect(times(eur('0.0035'), 1_000_000n)).toEqual(eur('3500.00'));
    expect(times(eur('0.000001'), 9_007_199_254_740_993n)).toEqual(eur('9007199254.740993'));
  });

  it('knows nothing by whatever spelling', () => {
    expect(['0', '0.00', '-0', '0.000000'].map((amount) => isZero(eur(amount)))).toEqual([true, true, true, true]);
    expect(isZero(eur('0.000001'))).toBe(false);
  });
});

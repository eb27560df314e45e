import fc from 'fast-check';
import { exactly, fromMinor, isZero, minorDigits, minorOf, toMinor, total } from './money';

const eur = (amount: string) => ({ amount, currency: 'EUR' });

describe('money', () => {
  it.each([
    ['EUR', 2],
    ['JPY', 0],
    ['BHD', 3],
  ])('the smallest unit of %s has %i digits behind the point', (currency, digits) => {
    expect(minorDigits(currency)).toBe(digits);
  });

  it.each([
    ['0', 'EUR', '0.00'],
    ['12.3', 'EUR', '12.30'],
    ['0.004', 'EUR', '0.00'],
    ['0.005', 'EUR', '0.01'],
    ['-0.005', 'EUR', '-0.01'],
    ['2.675', 'EUR', '2.68'],
    ['1234.5', 'JPY', '1235'],
    ['0.0005', 'BHD', '0.001'],
    ['999999999999.999999', 'EUR', '1000000000000.00'],
  ])('%s %s is kept as %s', (text, currency, kept) => {
    expect(fromMinor(toMinor(exactly(text), currency), currency)).toEqual({ amount: kept, currency });
  });

  it('no amount changes by being written and read', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }), fc.constantFrom('EUR', 'JPY', 'BHD'), (minor, currency) => minorOf(fromMinor(minor, currency)) === minor),
    );
  });

  it('is exact where floating point is not: 0.1 three times is 0.30, and 9,007,199,254,740,993 credits at a millionth are 9007199254.74', () => {
    expect(total([eur('0.1'), eur('0.1'), eur('0.1')], 'EUR')).toEqual(eur('0.30'));
    expect(fromMinor(toMinor(exactly('0.000001').times(exactly(9_007_199_254_740_993n)), 'EUR'), 'EUR')).toEqual(eur('9007199254.74'));
  });

  it('knows nothing by whatever spelling', () => {
    expect(['0', '0.00', '-0', '0.000000'].map((amount) => isZero(eur(amount)))).toEqual([true, true, true, true]);
    expect(isZero(eur('0.000001'))).toBe(false);
  });
});

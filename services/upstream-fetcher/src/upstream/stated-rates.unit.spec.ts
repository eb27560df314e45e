import { readStatedRate, statedRates } from './stated-rates';

describe('the rate that a header grants', () => {
  it.each([
    ['200', 200],
    ['"default";q=100;w=60', 100],
    ['"default";q=10;w=1', 600],
    ['"burst";q=50;w=1, "steady";q=200;w=60', 200],
    ['"day";q=14400;w=86400', 10],
    ['0', undefined],
    ['', undefined],
    ['-5', undefined],
    ['1e9', undefined],
    ['"default";q=100', undefined],
    ['"default";q=100;w=0', undefined],
    ['a'.repeat(10_000), undefined],
  ])('reads %j as %s calls a minute', (header, perMinute) => expect(readStatedRate(header)).toBe(perMinute));

  it('is news once, and again when it is another', () => {
    const rates = statedRates();
    expect(['200', '200', undefined, '150', '"x";q=150;w=60', 'nonsense', '150'].map((header) => rates.news('key_a', header))).toEqual([
      200,
      undefined,
      undefined,
      150,
      undefined,
      undefined,
      150,
    ]);
    expect(rates.news('key_b', '200')).toBe(200);
  });
});

import { fairDivision, fairnessIndex, type Part } from './fairness';

const part = (admitted: number, wanted: number, weight = 1): Part => ({ admitted, wanted, weight });

describe('the fair division of a key', () => {
  it('gives everyone what it wanted when there is enough', () =>
    expect(fairDivision([part(0, 10), part(0, 20)], 100)).toEqual([10, 20]));

  it('divides a scarce key by weight', () => expect(fairDivision([part(0, 100), part(0, 100, 4)], 50)).toEqual([10, 40]));

  it('passes on what one does not want', () =>
    expect(fairDivision([part(0, 100), part(0, 5), part(0, 100)], 45)).toEqual([20, 5, 20]));

  it('gives one who is alone all of it', () => expect(fairDivision([part(0, 100, 0.1)], 45)).toEqual([45]));
});

describe('the fairness index', () => {
  it('is 1 when everyone got its share, by weight too', () => {
    expect(fairnessIndex([part(10, 10), part(500, 500)])).toBe(1);
    expect(fairnessIndex([part(10, 100), part(40, 100, 4)])).toBe(1);
    expect(fairnessIndex([part(5, 5), part(20, 100), part(20, 400)])).toBe(1);
  });

  it('is 1/n when one of n got all', () => expect(fairnessIndex([part(30, 100), part(0, 100), part(0, 100)])).toBeCloseTo(1 / 3));

  it('is below 1 when one got more than its share of a scarce key', () => {
    const index = fairnessIndex([part(40, 100), part(10, 100)]);
    expect(index).toBeCloseTo(0.735, 3);
  });

  it('is null when nobody asked', () => {
    expect(fairnessIndex([])).toBeNull();
    expect(fairnessIndex([part(0, 0)])).toBeNull();
  });
});

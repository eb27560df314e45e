import { day, daysOf, endOfDay, endOfMonth, period, spanDays } from './period';

describe('periods', () => {
  it.each([
    ['2026-11', '2026-11-01', '2026-12-01'],
    ['2026-12', '2026-12-01', '2027-01-01'],
    ['2028-02', '2028-02-01', '2028-03-01'],
  ])('%s goes from %s up to %s', (month, from, before) => {
    expect(daysOf(month)).toEqual({ from, before });
  });

  it('end in UTC', () => {
    expect(endOfDay('2026-12-31')).toBe('2027-01-01T00:00:00.000Z');
    expect(endOfMonth('2026-11')).toBe('2026-12-01T00:00:00.000Z');
    expect(spanDays('2028-02-28', '2028-03-01')).toBe(3);
  });

  it.each(['2026-13', '2026-00', '2026-1', '2026-11-01', 'november', ''])('%p is no month', (text) => {
    expect(period.safeParse(text).success).toBe(false);
  });

  it.each(['2026-02-29', '2026-11-31', '2026-11', '20261124', "2026-11-01' or 1=1"])('%p is no day', (text) => {
    expect(day.safeParse(text).success).toBe(false);
  });
});

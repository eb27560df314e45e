import { assertCron, nextTime } from './clock-times';

const NOW = Date.UTC(2026, 10, 24, 23, 30);
const next = (cron: string, timezone = 'UTC') => new Date(nextTime(cron, timezone, NOW) ?? NaN).toISOString();

it('a schedule comes when its clock says so, in its own timezone', () => {
  expect(next('0 2 * * *')).toBe('2026-11-25T02:00:00.000Z');
  expect(next('0 4 * * 1,4')).toBe('2026-11-26T04:00:00.000Z');
  expect(next('0 2 * * *', 'Europe/Berlin')).toBe('2026-11-25T01:00:00.000Z');
});

it('the day that a timezone has no 02:30 it comes all the same, once', () => {
  const spring = Date.UTC(2027, 2, 27, 12);
  const first = nextTime('30 2 * * *', 'Europe/Berlin', spring) ?? NaN;
  const second = nextTime('30 2 * * *', 'Europe/Berlin', first) ?? NaN;
  expect([first, second].map((time) => new Date(time).toISOString().slice(0, 10))).toEqual(['2027-03-28', '2027-03-29']);
});

it.each(['every night', '* * * * *', '*/5 * * * *', '0 0 31 2 *', '0 0 2 * * *'])('%s is refused', (cron) => {
  expect(() => assertCron(cron, 'UTC', NOW)).toThrow(expect.objectContaining({ code: 'invalid-request' }));
});

it('an unknown timezone is refused, a quarter of an hour is not', () => {
  expect(() => assertCron('0 2 * * *', 'Mars/Olympus', NOW)).toThrow(expect.objectContaining({ code: 'invalid-request' }));
  expect(() => assertCron('*/15 * * * *', 'UTC', NOW)).not.toThrow();
});

import { forecast } from './forecast';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const at = (hours: number, credits: number) => ({ at: hours * HOUR, credits });

describe('the forecast of the day on which credits end', () => {
  it('goes on at the rate of what is known', () => {
    expect(forecast([at(0, 1_000), at(12, 900), at(24, 800)])).toEqual({ left: 800, perDay: 200, endsAt: DAY + 4 * DAY });
  });

  it('takes a purchase for none of the spending', () => {
    expect(forecast([at(0, 1_000), at(12, 900), at(13, 10_900), at(24, 10_800)])).toMatchObject({ left: 10_800, perDay: 200 });
  });

  it('says no day where nothing goes, too little is known, or nothing at all', () => {
    expect(forecast([at(0, 500), at(24, 500)])).toEqual({ left: 500, perDay: 0, endsAt: null });
    expect(forecast([at(0, 500), at(0.1, 400)])).toEqual({ left: 400, perDay: null, endsAt: null });
    expect(forecast([])).toBeUndefined();
  });

  it('of a key that is at its end is now', () => {
    expect(forecast([at(0, 0)])).toMatchObject({ endsAt: 0 });
    expect(forecast([at(0, 10), at(10, 0)])).toMatchObject({ left: 0, endsAt: 10 * HOUR });
  });
});

import { alarmsOf, standingOf } from './alarms';
import type { Budget } from './budget';

const BUDGET: Budget = { budgetId: 'bud_1', name: 'all', projectId: null, period: 'month', limitCredits: 1_000, hard: false, thresholds: [{ percent: 50 }, { credits: 900 }, { percent: 100 }], forecast: true };
const at = (text: string) => Date.parse(text);
const keys = (used: number, now: string, budget: Partial<Budget> = {}) => alarmsOf(standingOf({ ...BUDGET, ...budget }, used, at(now))).map(({ key }) => key);
/** The last day of a month: no forecast goes far beyond what is used. */
const LATE = '2026-11-30T23:00:00Z';

describe('a budget', () => {
  it.each([
    [0, []],
    [499, []],
    [500, ['50%']],
    [899, ['50%']],
    [900, ['50%', '900']],
    [1_000, ['50%', '900', '100%']],
    [5_000, ['50%', '900', '100%']],
  ])('of 1,000 with %i used warns of %j', (used, expected) => {
    expect(keys(used, LATE, { forecast: false })).toEqual(expected);
  });

  it('forecasts by its pace, from a tenth of the period on', () => {
    expect(standingOf(BUDGET, 300, at('2026-11-10T00:00:00Z')).forecastCredits).toBe(1_000);
    expect(standingOf(BUDGET, 301, at('2026-11-10T00:00:00Z')).forecastCredits).toBe(1_003);
    expect(standingOf(BUDGET, 900, at('2026-11-02T00:00:00Z')).forecastCredits).toBeNull();
    expect(standingOf({ ...BUDGET, period: 'day' }, 100, at('2026-11-24T06:00:00Z'))).toMatchObject({ of: '2026-11-24', forecastCredits: 400 });
  });

  it('warns of a forecast above it, and not any more once it is used up', () => {
    expect(keys(300, '2026-11-10T00:00:00Z')).toEqual([]);
    expect(keys(301, '2026-11-10T00:00:00Z')).toEqual(['forecast']);
    expect(keys(301, '2026-11-10T00:00:00Z', { forecast: false })).toEqual([]);
    expect(keys(1_000, '2026-11-10T00:00:00Z')).toEqual(['50%', '900', '100%']);
  });
});

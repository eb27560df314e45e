import type { BudgetAlarm, BudgetThreshold } from '@weir/contracts';
import { utcDay, utcMonth } from '@weir/kernel';
import { endOfDay, endOfMonth } from '../period';
import type { Budget } from './budget';

/** Too early in a period a few calls would forecast anything. */
const FORECAST_FROM = 0.1;

export interface BudgetStanding {
  readonly budget: Budget;
  /** The UTC day or month. */
  readonly of: string;
  readonly usedCredits: number;
  /** At the pace so far; null while a tenth of the period has not passed. */
  readonly forecastCredits: number | null;
}

/** The UTC day or month that a budget is of now. */
export const periodOf = ({ period }: Pick<Budget, 'period'>, now: number): string => (period === 'day' ? utcDay(now) : utcMonth(now));

/** Credits at the end of the period, if it goes on as it went since its beginning. */
export function standingOf(budget: Budget, usedCredits: number, now: number): BudgetStanding {
  const of = periodOf(budget, now);
  const begin = Date.parse(budget.period === 'day' ? `${of}T00:00:00Z` : `${of}-01T00:00:00Z`);
  const end = Date.parse(budget.period === 'day' ? endOfDay(of) : endOfMonth(of));
  const passed = (now - begin) / (end - begin);
  return { budget, of, usedCredits, forecastCredits: passed < FORECAST_FROM ? null : Math.round(usedCredits / passed) };
}

export interface Alarm {
  /** Names it within its budget and period, where it is said once. */
  readonly key: string;
  readonly fact: BudgetAlarm;
}

const creditsAt = (threshold: BudgetThreshold, limit: number): number => ('percent' in threshold ? (limit * threshold.percent) / 100 : threshold.credits);

/** All that is to be said of a budget as it stands. */
export function alarmsOf({ budget, of, usedCredits, forecastCredits }: BudgetStanding): Alarm[] {
  const { budgetId, name, projectId, period, limitCredits } = budget;
  const data = { budgetId, name, projectId, period, of, limitCredits, usedCredits };
  const crossed = budget.thresholds
    .filter((threshold) => usedCredits >= creditsAt(threshold, limitCredits))
    .map((threshold): Alarm => ({ key: 'percent' in threshold ? `${threshold.percent}%` : String(threshold.credits), fact: { type: 'budget.threshold-crossed', data: { ...data, threshold } } }));
  const exceeding = budget.forecast && usedCredits < limitCredits && forecastCredits !== null && forecastCredits > limitCredits;
  return exceeding ? [...crossed, { key: 'forecast', fact: { type: 'budget.forecast-exceeded', data: { ...data, forecastCredits } } }] : crossed;
}

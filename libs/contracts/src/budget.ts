import { z } from 'zod';
import { event, record, type FactOf } from './contract';
import { count, oneOf, tenantId, text } from './fields';
import { plain } from './privacy';
import { eventsTopic, stateTopic } from './topics';

/** A ceiling in credits that a tenant set for itself, and how much of it is used. */
export const budgetUse = z.object({
  budgetId: text(),
  /** Null: of all projects together. */
  projectId: plain(z.string().nullable()),
  period: oneOf('day', 'month'),
  /** Which day or month `usedCredits` are of, UTC: `2026-11-24` or `2026-11`. Another one than today's means nothing used yet. */
  of: text(),
  limitCredits: count(),
  usedCredits: count(),
  /** Calls are refused when it is used up; else it only warns. */
  hard: plain(z.boolean()),
});
export type BudgetUse = z.infer<typeof budgetUse>;

export const budgetState = record(
  stateTopic('budget'),
  'budget.state',
  'What metering has counted against each budget of a tenant; the limiter closes on the hard ones. The key is the tenant.',
  z.object({ tenantId: tenantId(), budgets: z.array(budgetUse) }),
);
export type BudgetState = z.infer<typeof budgetState.schema>;

/** Of the limit, or of the credits themselves. */
const threshold = z.union([z.object({ percent: plain(z.number().positive().max(1_000)) }), z.object({ credits: plain(z.number().int().positive()) })]);
export type BudgetThreshold = z.infer<typeof threshold>;

export const budgetTerms = {
  /** Of the tenant's choosing, and what the budget goes by. */
  name: text(),
  projectId: plain(z.string().nullable()),
  period: oneOf('day', 'month'),
  limitCredits: count(),
  hard: plain(z.boolean()),
  thresholds: z.array(threshold),
  /** Whether to say when the credits of the period will be more than the limit at the pace so far. */
  forecast: plain(z.boolean()),
};

const topic = eventsTopic('budget');
export const budgetSet = event(topic, 'budget.set', 'A budget, new or changed.', { budgetId: text(), ...budgetTerms });
export const budgetRemoved = event(topic, 'budget.removed', 'A budget is no more.', { budgetId: text(), name: text() });

const alarm = {
  budgetId: text(),
  name: text(),
  projectId: plain(z.string().nullable()),
  period: oneOf('day', 'month'),
  of: text(),
  limitCredits: count(),
  usedCredits: count(),
};
export const budgetThresholdCrossed = event(topic, 'budget.threshold-crossed', 'So much of a budget is used; once a period for each threshold.', { ...alarm, threshold });
export const budgetForecastExceeded = event(
  topic,
  'budget.forecast-exceeded',
  'At the pace so far the period will end above the budget; once a period.',
  { ...alarm, forecastCredits: count() },
);
export type BudgetEvent = FactOf<typeof budgetSet | typeof budgetRemoved>;
export type BudgetAlarm = FactOf<typeof budgetThresholdCrossed | typeof budgetForecastExceeded>;

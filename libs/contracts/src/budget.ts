import { z } from 'zod';
import { record } from './contract';
import { count, oneOf, tenantId, text } from './fields';
import { plain } from './privacy';
import { stateTopic } from './topics';

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

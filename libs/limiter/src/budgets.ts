import type { BudgetState, BudgetUse, QuotaState } from '@weir/contracts';
import { utcDay, utcMonth } from '@weir/kernel';
import type { Budget, Ledger } from './port';

/** Of those that refuse, the project's and those of all projects, the tightest of each period: it is used up first. */
export function tightestBudgets(budgets: readonly BudgetUse[], projectId: string): readonly BudgetUse[] {
  const tightest = new Map<Budget['period'], BudgetUse>();
  for (const budget of budgets) {
    const { period, limitCredits, projectId: of, hard } = budget;
    if (!hard || (of !== null && of !== projectId)) continue;
    if (limitCredits < (tightest.get(period)?.limitCredits ?? Infinity)) tightest.set(period, budget);
  }
  return [...tightest.values()];
}

/** What the limiter closes on; undefined: there is none. */
export function budgetLimits(budgets: readonly BudgetUse[], projectId: string): readonly Budget[] | undefined {
  const tightest = tightestBudgets(budgets, projectId);
  return tightest.length === 0 ? undefined : tightest.map(({ period, limitCredits: credits }) => ({ period, credits }));
}

/** What is known of a tenant's credits: the quotas' word, or a budget's where that was heard of first. */
export function ledgerOf(quota: QuotaState | undefined, budgets: BudgetState | undefined, now: number): Ledger | undefined {
  if (quota === undefined || budgets === undefined || budgets.budgets.length === 0) return quota;
  const today = { day: utcDay(now), month: utcMonth(now) };
  let ledger: Ledger = quota;
  for (const { projectId, period, of, usedCredits } of budgets.budgets) {
    if (projectId !== null || of !== today[period] || quota[period] !== of) continue;
    const counted = period === 'day' ? 'dayCredits' : 'monthCredits';
    if (usedCredits > ledger[counted]) ledger = { ...ledger, [counted]: usedCredits };
  }
  return ledger;
}

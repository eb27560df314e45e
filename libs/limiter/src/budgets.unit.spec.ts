import type { BudgetUse, QuotaState } from '@weir/contracts';
import { budgetLimits, ledgerOf } from './budgets';
import { NOON } from './samples';

const budget = (over: Partial<BudgetUse>): BudgetUse => ({
  budgetId: 'bud_a',
  projectId: null,
  period: 'day',
  of: '2026-11-24',
  limitCredits: 10,
  usedCredits: 0,
  hard: true,
  ...over,
});
const quota: QuotaState = { tenantId: 'ten_a', day: '2026-11-24', dayCredits: 5, month: '2026-11', monthCredits: 50 };
const ledger = (...budgets: BudgetUse[]) => ledgerOf(quota, { tenantId: 'ten_a', budgets }, NOON);

describe('budgets', () => {
  it('close the limiter where they are hard, the tightest of each period, for their own project', () => {
    const budgets = [
      budget({ limitCredits: 10 }),
      budget({ limitCredits: 7 }),
      budget({ limitCredits: 3, hard: false }),
      budget({ limitCredits: 2, projectId: 'prj_b' }),
      budget({ limitCredits: 90, period: 'month', projectId: 'prj_a' }),
    ];
    expect(budgetLimits(budgets, 'prj_a')).toEqual([
      { period: 'day', credits: 7 },
      { period: 'month', credits: 90 },
    ]);
    expect(budgetLimits([budget({ hard: false })], 'prj_a')).toBeUndefined();
  });

  it('raise what is known to be used where they were heard of first, in this period and over all projects', () => {
    expect(ledger(budget({ usedCredits: 8 }), budget({ period: 'month', of: '2026-11', usedCredits: 60 }))).toMatchObject({ dayCredits: 8, monthCredits: 60 });
    expect(ledger(budget({ usedCredits: 4 }), budget({ usedCredits: 9, of: '2026-11-23' }), budget({ usedCredits: 9, projectId: 'prj_a' }))).toMatchObject(quota);
  });

  it('know nothing of a tenant whose quotas nobody knows', () =>
    expect(ledgerOf(undefined, { tenantId: 'ten_a', budgets: [budget({ usedCredits: 1 })] }, NOON)).toBeUndefined());
});

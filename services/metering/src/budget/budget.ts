import type { BudgetEvent } from '@weir/contracts';
import { canonicalJson, fact, unreachable, type Aggregate, type Decide } from '@weir/kernel';
import { budgetNotFound, tooManyBudgets } from '../errors';

export type Budget = Extract<BudgetEvent, { type: 'budget.set' }>['data'];
export type BudgetTerms = Omit<Budget, 'budgetId'>;

/** A tenant's budgets by their names. */
export type Budgets = ReadonlyMap<string, Budget>;

/** Each is looked at with every batch that is counted. */
export const MOST_BUDGETS = 50;

function evolve(state: Budgets, event: BudgetEvent): Budgets {
  switch (event.type) {
    case 'budget.set':
      return new Map(state).set(event.data.name, event.data);
    case 'budget.removed':
      return new Map([...state].filter(([name]) => name !== event.data.name));
    default:
      return unreachable(event);
  }
}

export const budgets: Aggregate<Budgets, BudgetEvent> = { initial: new Map(), evolve };

/** @throws AppError `too-many-budgets` */
export const setBudget =
  (terms: BudgetTerms, newId: string): Decide<Budgets, BudgetEvent> =>
  (state) => {
    const before = state.get(terms.name);
    if (before === undefined && state.size >= MOST_BUDGETS) throw tooManyBudgets(MOST_BUDGETS);
    const budget = { budgetId: before?.budgetId ?? newId, ...terms };
    return before !== undefined && canonicalJson(before) === canonicalJson(budget) ? [] : [fact('budget.set', budget)];
  };

/** @throws AppError `not-found` */
export const removeBudget =
  (name: string): Decide<Budgets, BudgetEvent> =>
  (state) => {
    const budget = state.get(name);
    if (budget === undefined) throw budgetNotFound();
    return [fact('budget.removed', { budgetId: budget.budgetId, name })];
  };

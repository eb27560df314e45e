import type { BillingEvent, BillingException, PlanTerms } from '@weir/contracts';
import { fact, type Decide } from '@weir/kernel';
import { isDeepStrictEqual } from 'node:util';

/** What a tenant pays by: its plan's terms, except for the months that an operator agreed otherwise for. */
export interface Billing {
  /** In the order in which they were agreed; of two that hold for a month, the later one does. */
  readonly exceptions: readonly BillingException[];
}

const initial: Billing = { exceptions: [] };

const evolve = (state: Billing, event: BillingEvent): Billing => ({ exceptions: [...state.exceptions, event.data] });

export const billing = { initial, evolve };

export const setException =
  (exception: BillingException): Decide<Billing, BillingEvent> =>
  ({ exceptions }) =>
    isDeepStrictEqual(exceptions.at(-1), exception) ? [] : [fact('billing.exception-set', exception)];

/** The terms by which one month is priced. */
export type BillingTerms = PlanTerms['billing'] & { readonly includedCredits: number };

export interface TermsInForce {
  readonly source: 'plan' | 'exception';
  readonly terms: BillingTerms;
}

export function termsFor(
  month: string,
  { exceptions }: Billing,
  plan: Pick<PlanTerms, 'billing' | 'includedCalls'>,
): TermsInForce {
  const exception = exceptions.findLast(({ from, until }) => from <= month && (until === null || month <= until));
  if (exception === undefined) return { source: 'plan', terms: { ...plan.billing, includedCredits: plan.includedCalls } };
  const { from: _from, until: _until, ...terms } = exception;
  return { source: 'exception', terms };
}

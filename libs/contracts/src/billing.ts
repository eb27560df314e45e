import { z } from 'zod';
import { event, type FactOf } from './contract';
import { count, text } from './fields';
import { planTerms } from './plan';
import { plain } from './privacy';
import { eventsTopic } from './topics';

export const billingExceptionSet = event(
  eventsTopic('billing'),
  'billing.exception-set',
  'One tenant pays by other terms than its plan’s, for some months.',
  {
    ...planTerms.shape.billing.shape,
    /** Credits of a month that cost nothing. */
    includedCredits: count(),
    /** UTC months, `2026-11`, both counted; null has no end. */
    from: text(),
    until: plain(z.string().nullable()),
  },
);
export type BillingEvent = FactOf<typeof billingExceptionSet>;
export type BillingException = z.infer<typeof billingExceptionSet.schema>;

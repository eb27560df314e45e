import { z } from 'zod';
import { event, type FactOf } from './contract';
import { count, oneOf, text } from './fields';
import { money, planTerms } from './plan';
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

/** A part of an invoice: what was counted, at which price, for which days. */
const invoiceLine = z.object({
  item: oneOf('month', 'seats', 'credits-included', 'credits', 'credits-adjustment', 'profiles'),
  description: text(),
  /** UTC days, both counted. */
  from: text(),
  to: text(),
  /** A whole number, as text. */
  quantity: text(),
  /** Of one: of a unit of `per`, or of a whole month where the line is a share of one. */
  unitPrice: money(),
  /** How many make a unit. */
  per: count(),
  /** The part of a month that the line is for, `14/30`; null is all of it. */
  share: plain(z.string().nullable()),
  /** Rounded half up to the currency's smallest unit. */
  amount: money(),
});
export type InvoiceLine = z.infer<typeof invoiceLine>;

const invoiced = {
  invoiceId: text(),
  /** UTC month. */
  period: text(),
  currency: text(),
  lines: z.array(invoiceLine),
  total: money(),
  /** Σ chargedCredits of live calls: the lines of credits add up to it. */
  chargedCredits: count(),
  seats: count(),
};

export const invoiceDrafted = event(eventsTopic('billing'), 'invoice.drafted', 'What a month costs by what was known; replaced by the next draft.', invoiced);
export const invoiceFinalized = event(
  eventsTopic('billing'),
  'invoice.finalized',
  'An invoice has its number and never changes again; what comes later of its month is an adjustment.',
  { ...invoiced, number: text() },
);
export const invoiceCredited = event(eventsTopic('billing'), 'invoice.credited', 'A credit note takes back an invoice or a part of it.', {
  creditNoteId: text(),
  number: text(),
  invoiceId: text(),
  amount: money(),
});
export type InvoicingEvent = FactOf<typeof invoiceDrafted | typeof invoiceFinalized | typeof invoiceCredited>;
export type BillingException = z.infer<typeof billingExceptionSet.schema>;

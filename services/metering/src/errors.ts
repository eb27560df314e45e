import type { Money } from '@weir/contracts';
import { AppError, invalid, notFound } from '@weir/kernel';

export const callNotFound = () => notFound('call');

/** Parks the message: it would never become readable by waiting. */
export const malformedUsage = (offset: string, cause: unknown) =>
  new AppError('malformed-usage', 'invalid', `The record at offset ${offset} is not one of usage.`, { cause });

/** Parks the message: two records cannot be one. */
export const eventIdTaken = (cause: unknown) =>
  new AppError('event-id-taken', 'invalid', 'A record of usage bears the event id of a record of another attempt.', { cause });

/** Parks the message: whether it was counted already can be said no more. */
export const usageTooOld = (eventId: string, from: string) =>
  new AppError('usage-too-old', 'invalid', `The record ${eventId} is of before ${from}, whose records are not kept any more: it cannot be said whether it was counted.`, { details: { from } });

export const tooManyGroups = (most: number) =>
  invalid(`The report would have more than ${most} rows. Ask for a shorter time or group by less.`, { most });

export const mixedCurrencies = (currencies: readonly string[]) =>
  new AppError(
    'mixed-currencies',
    'conflict',
    `The prices are in several currencies (${currencies.join(', ')}): give the tenant one by PUT /billing.`,
    {
      details: { currencies },
    },
  );

export const periodStillOpen = (month: string) => new AppError('period-open', 'conflict', `${month} has not ended: only a month that has can be closed.`, { details: { month } });

export const invoiceNotFound = () => notFound('invoice');

export const invoiceNotFinal = () => new AppError('invoice-not-final', 'conflict', 'A credit note takes back a final invoice. A draft is replaced by the next run.');

export const creditTooLarge = ({ amount, currency }: Money) =>
  invalid(`A credit note takes back at most what is left of the invoice: ${amount} ${currency}.`, { left: { amount, currency } });

export const monthNotOver = (month: string, opensAt: string) =>
  new AppError('month-not-over', 'conflict', `The invoices of ${month} can be made final from ${opensAt} on. Until then POST with {"draft": true}.`, { details: { opensAt } });

export const monthBusy = () =>
  new AppError('month-busy', 'unavailable', 'Usage of the month is being counted all the time; its invoice could not be closed. Try again.', { retryAfter: 5 });

export const budgetNotFound = () => notFound('budget');

export const tooManyBudgets = (most: number) => new AppError('too-many-budgets', 'conflict', `A tenant has at most ${most} budgets. Remove one first.`);

export const webhookNotFound = () => notFound('webhook');
export const deliveryNotFound = () => notFound('delivery');
export const webhookAddressRefused = (why: string) => invalid(`The url of a webhook ${why}.`);
export const tooManyWebhooks = (most: number) => new AppError('too-many-webhooks', 'conflict', `A tenant has at most ${most} webhooks. Remove one first.`);

export const statementOfAnotherKey = (source: string, keyId: string) =>
  new AppError('statement-of-another-key', 'conflict', `There are lines under the name ${source} already, and not of the key ${keyId}. Take another name.`);

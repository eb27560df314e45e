import { AppError, invalid, notFound } from '@weir/kernel';

export const callNotFound = () => notFound('call');

/** Parks the message: it would never become readable by waiting. */
export const malformedUsage = (offset: string, cause: unknown) =>
  new AppError('malformed-usage', 'invalid', `The record at offset ${offset} is not one of usage.`, { cause });

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

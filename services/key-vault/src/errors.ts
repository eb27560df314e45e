import { AppError, notFound } from '@weir/kernel';

export const keyNotFound = (): AppError => notFound('upstream key');

export const rotationNotFound = (): AppError => notFound('key rotation');

/** Without the record of a hold no test call leaves: a credit would have no trace. */
export const notAccountable = (cause: unknown): AppError =>
  new AppError(
    'not-accountable',
    'unavailable',
    'The test call cannot be accounted for now, so it was not made. Check the key again in a moment.',
    {
      cause,
      retryAfter: 1,
    },
  );

/** Two changes of one key at once; the second has sealed for a place that is taken. */
export const keyChanged = (): AppError =>
  new AppError('contended', 'conflict', 'The key is being changed by another request. Try again.', { retryAfter: 1 });

export const noShredKeys = (): AppError =>
  new AppError('no-shred-keys', 'conflict', 'WEIR_SHRED_KEYS is none: there is nothing whose end would reach the backups. Remove the keys one by one instead.');

export const nothingToCheck = (): AppError =>
  new AppError(
    'upstream-key-rejected',
    'conflict',
    'The upstream does not know this key, and its secret was thrown away. Hand in another with POST …/versions.',
  );

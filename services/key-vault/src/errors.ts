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

export const noKms = (): AppError =>
  new AppError('no-kms', 'conflict', 'WEIR_KEY_ENCRYPTION is local: this installation holds its key in a file and uses no key of KMS.');

export const kmsKeyRefused = (cause: unknown): AppError =>
  new AppError(
    'kms-key-refused',
    'conflict',
    "KMS does not let the vault use this key. It has to be enabled, its policy has to allow the vault's role GenerateDataKey, Decrypt and ReEncrypt, and the role's policy has to name it.",
    { cause },
  );

export const badTransferKey = (): AppError =>
  new AppError('bad-transfer-key', 'invalid', 'The package was made for a transfer key: hand in the very same, weir-transfer-key-v1:… with 64 hexadecimal digits.');

export const otherTenantsKeys = (): AppError => new AppError('other-tenants-keys', 'invalid', 'The package holds the keys of another tenant.');

export const nothingToCheck = (): AppError =>
  new AppError(
    'upstream-key-rejected',
    'conflict',
    'The upstream does not know this key, and its secret was thrown away. Hand in another with POST …/versions.',
  );

export const unknownUpstream = (id: string, known: readonly string[]) =>
  new AppError('unknown-upstream', 'invalid', `There is no upstream '${id}' here. Those that are configured: ${known.join(', ')}.`, { details: { field: 'upstream' } });

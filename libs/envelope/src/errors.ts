import { AppError, unavailable } from '@weir/kernel';

/**
 * The one answer to every secret that does not open: altered, truncated, of another tenant, key or version, or under another data
 * key. It carries no cause, because a caller who can tell the reasons apart can probe with them.
 */
export const unreadableSecret = (): AppError =>
  new AppError(
    'unreadable-secret',
    'internal',
    'The sealed secret cannot be opened. It was altered or belongs to something else: register the key again.',
  );

/** The tenant's shred key was destroyed, and with it every copy of the secret. */
export const keyShredded = (): AppError =>
  new AppError('key-shredded', 'failed-dependency', 'The secret was destroyed for good: its shred key is gone. Register the key again.');

/** Throttled, timed out, unreachable or broken: trying again makes sense. */
export const keyEncryptionUnavailable = (cause?: unknown): AppError =>
  unavailable('key-encryption-unavailable', 'The key-encryption service does not answer now. Try again shortly.', cause);

/** Denied, disabled, pending deletion or unknown: the operator has to give the key back, and until then nothing opens. */
export const keyEncryptionRefused = (cause?: unknown): AppError =>
  unavailable('key-encryption-refused', 'The key-encryption key may not be used now. An operator has to enable it or grant its use.', cause);

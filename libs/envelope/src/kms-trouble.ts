import type { AppError } from '@weir/kernel';
import { keyEncryptionRefused, keyEncryptionUnavailable, unreadableSecret } from './errors';

/** What the AWS SDK puts on its errors; a network error has `code` alone. */
interface SdkError {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly $fault?: 'client' | 'server';
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
}

const NOT_THIS_CIPHERTEXT = new Set(['InvalidCiphertextException', 'IncorrectKeyException']);
const THROTTLED = /^(Throttl|TooManyRequests|RequestLimitExceeded|LimitExceeded|RequestThrottled|SlowDown)/;

/**
 * KMS says no with a 4xx (denied, disabled, pending deletion, unknown: refused), and not now with a 5xx, a throttle, a timeout or
 * silence (unavailable). https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html
 */
export function kmsTrouble(operation: string, error: unknown): AppError {
  const { name = 'Error', $metadata } = error as SdkError;
  if (NOT_THIS_CIPHERTEXT.has(name)) return unreadableSecret();
  const status = $metadata?.httpStatusCode ?? 0;
  const saysNo = status >= 400 && status < 500 && status !== 408 && status !== 429 && !THROTTLED.test(name);
  return (saysNo ? keyEncryptionRefused : keyEncryptionUnavailable)(description(operation, error as SdkError));
}

/**
 * A new error in place of the SDK's own: that one may carry the raw body of an answer that it could not parse, and a data key in it.
 * The service's own message is kept where the service wrote it (`$fault`), since it names the missing permission.
 */
function description(operation: string, { name, message, code, $fault, $metadata }: SdkError): Error {
  const parts = [
    `AWS ${operation}: ${code ?? name ?? 'Error'}`,
    $metadata?.httpStatusCode === undefined ? undefined : `HTTP ${$metadata.httpStatusCode}`,
    $metadata?.requestId === undefined ? undefined : `request ${$metadata.requestId}`,
    $fault === 'client' ? message : undefined,
  ];
  return new Error(parts.filter((part) => part !== undefined).join(', '));
}

import { AppError } from '@weir/kernel';
import { badRecord, busUnavailable } from '../errors';

/** kafkajs wraps what happened in 'number of retries exceeded', and that again. */
function rootCause(error: unknown): { type?: string; message: string } {
  const cause = (error as { cause?: unknown }).cause;
  return cause instanceof Error ? rootCause(cause) : (error as { type?: string; message: string });
}

export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const root = rootCause(error);
  if (/^(MESSAGE_TOO_LARGE|RECORD_LIST_TOO_LARGE|INVALID_RECORD|INVALID_TIMESTAMP)$/.test(root.type ?? ''))
    return badRecord(root);
  return busUnavailable(error);
}

/** @throws AppError `bus-unavailable` when `work` takes longer; it goes on, unheard */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(busUnavailable(new Error(`no answer within ${ms} ms`))), ms);
  });
  work.catch(() => undefined);
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

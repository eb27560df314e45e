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

/**
 * kafkajs looks for a group's new coordinator when the old one says that it is none any more. A dead one says nothing, and commits
 * would fail for ten seconds, until the client gives up: so its answer is given for it.
 */
export function orLostCoordinator(error: Error & { type?: string }): Error {
  if (error.type !== undefined) return error;
  const lost = new Error(`the group's coordinator does not answer: ${error.message}`, { cause: error });
  return Object.assign(lost, { type: 'NOT_COORDINATOR_FOR_GROUP', retriable: true });
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

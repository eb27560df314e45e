import { AppError, unavailable } from '@weir/kernel';

/** A topic is declared in contracts and made by weir-migrate, never by accident. */
export const unknownTopic = (topic: string): AppError =>
  new AppError('unknown-topic', 'internal', `There is no topic ${topic} on the bus: run weir-migrate of this release.`, {
    details: { topic },
  });

export const busUnavailable = (cause: unknown): AppError =>
  unavailable('bus-unavailable', `The bus does not answer: ${(cause as Error).message}`, cause);

/** The record, not the bus, is at fault: too large, or with characters that the bus cannot hold. */
export const badRecord = (cause: unknown): AppError =>
  new AppError('bad-record', 'invalid', `The bus refuses the record: ${(cause as Error).message}`, { cause });

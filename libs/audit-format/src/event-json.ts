import type { StoredEvent } from './event';

/**
 * An event as lists and exports show it, in one line of JSON: docs/audit-format.md. `data` is spliced in as it stands in the log, so
 * that a number beyond 2^53 arrives as it was sent; `dataText` is the same as the text that was hashed.
 */
export function eventJson({ data: _, bytes, ...event }: StoredEvent): string {
  const rest = JSON.stringify({ ...event, dataText: bytes });
  return `${rest.slice(0, -1)},"data":${bytes}}`;
}

const TEXTS = ['tenantId', 'eventId', 'stream', 'type', 'occurredAt', 'recordedAt', 'author', 'action', 'commandId', 'contentHash', 'chainHash', 'dataText'];
const OPTIONAL_TEXTS = ['reason', 'requestId', 'causationId', 'correlationId'];
const INTEGERS = ['position', 'version', 'schemaVersion'];
/** A stream's versions have 32 bits in the link. */
const LAST_VERSION = 2 ** 31 - 1;

/** The event of a line of JSON; undefined for a line that is not one. */
export function eventOf(line: unknown): StoredEvent | undefined {
  if (!isObject(line) || !isObject(line['actor'])) return undefined;
  const { type, id } = line['actor'];
  const whole =
    TEXTS.every((name) => typeof line[name] === 'string') &&
    OPTIONAL_TEXTS.every((name) => line[name] === null || typeof line[name] === 'string') &&
    INTEGERS.every((name) => Number.isSafeInteger(line[name])) &&
    Math.abs(line['version'] as number) <= LAST_VERSION &&
    typeof type === 'string' &&
    typeof id === 'string';
  if (!whole) return undefined;
  const { dataText: bytes, ...event } = line as unknown as StoredEvent & { dataText: string };
  return { ...event, bytes };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

import type { StoredEvent } from '@weir/event-store';

/**
 * An event as lists and exports show it, in one line of JSON: docs/event-log-format.md. `data` is spliced in as it stands in the log, so
 * that a number beyond 2^53 arrives as it was sent; `dataText` is the same as the text that was hashed.
 */
export function eventJson({ data: _, bytes, ...event }: StoredEvent): string {
  const rest = JSON.stringify({ ...event, dataText: bytes });
  return `${rest.slice(0, -1)},"data":${bytes}}`;
}

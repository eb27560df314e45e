import { createHash } from 'node:crypto';
import { eventJson } from './event-json';
import type { StoredEvent } from './event';
import { FORMAT, FORMAT_VERSION, manifestLine, type Manifest } from './manifest';

/** What is known of a log before its events are read. */
export type Origin = Pick<Manifest, 'tenantId' | 'from' | 'previousHash' | 'head' | 'witnessed' | 'generatedAt' | 'weirVersion'>;

/** The text of an export: a line an event, then the manifest. Only a page of events is in memory at a time. */
export async function* writeExport(origin: Origin, pages: AsyncIterable<readonly StoredEvent[]>): AsyncGenerator<string> {
  const sha256 = createHash('sha256');
  let count = 0;
  let first: StoredEvent | undefined;
  let last: StoredEvent | undefined;
  for await (const page of pages) {
    if (page.length === 0) continue;
    first ??= page[0];
    last = page.at(-1);
    count += page.length;
    const text = eventLines(page);
    sha256.update(text);
    yield text;
  }
  yield manifestLine({
    format: FORMAT,
    formatVersion: FORMAT_VERSION,
    tenantId: origin.tenantId,
    from: origin.from,
    to: last?.position ?? origin.from - 1,
    count,
    previousHash: origin.previousHash,
    firstHash: first?.chainHash ?? null,
    lastHash: last?.chainHash ?? null,
    sha256: sha256.digest('hex'),
    head: origin.head,
    witnessed: origin.witnessed,
    generatedAt: origin.generatedAt,
    weirVersion: origin.weirVersion,
  });
}

export const eventLines = (events: readonly StoredEvent[]): string => events.map((event) => `${eventJson(event)}\n`).join('');

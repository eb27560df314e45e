import { createWriteStream } from 'node:fs';
import { finished, pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { contentHash, examine, genesis, writeExport, type StoredEvent } from '@weir/audit-format';
import type { TenantId } from '@weir/kernel';

const TENANT: TenantId = 'ten_01k9x4zq3hf2v8m7c5w6b1n0ap';
const PAGE = 500;
const AT = '2026-11-24T20:31:07.123000Z';

/** Writes the export of a log of so many events, as the audit-ledger does, a page in memory at a time. */
export async function writeLog(path: string, count: number): Promise<void> {
  const file = createWriteStream(path);
  const last = lastOf(count);
  const told = { tenantId: TENANT, from: 1, previousHash: genesis(TENANT), head: { position: count, chainHash: last }, witnessed: null, generatedAt: AT, weirVersion: 'bench' };
  await pipeline(Readable.from(writeExport(told, pages(count))), file);
  await finished(file);
}

function* events(count: number): Generator<StoredEvent> {
  let head = genesis(TENANT);
  for (let position = 1; position <= count; position++) {
    const data = { tokenId: `tok_${String(position).padStart(26, '0')}`, role: 'member', label: `token number ${position}`, scopes: ['read', 'call'], expiresAt: null };
    const said: StoredEvent = {
      tenantId: TENANT,
      position,
      eventId: `019ab3d2-0000-7a40-8f3e-${String(position).padStart(12, '0')}`,
      stream: `api-token/${data.tokenId}`,
      version: 1,
      type: 'api-token.issued',
      schemaVersion: 1,
      occurredAt: AT,
      recordedAt: AT,
      author: 'weir_tenant_registry',
      actor: { type: 'token', id: 'tok_01k9x4zq3hf2v8m7c5w6b1n0aq' },
      action: 'POST /v1/tenants/:t/tokens',
      reason: null,
      requestId: `req_${String(position).padStart(26, '0')}`,
      causationId: null,
      correlationId: null,
      commandId: `cmd_${position}`,
      data,
      bytes: JSON.stringify(data),
      contentHash: '',
      chainHash: '',
    };
    const event = { ...said, contentHash: contentHash(said) };
    head = examine({ position: position - 1, head }, event).head;
    yield { ...event, chainHash: head };
  }
}

function lastOf(count: number): string {
  let last = genesis(TENANT);
  for (const { chainHash } of events(count)) last = chainHash;
  return last;
}

async function* pages(count: number): AsyncGenerator<StoredEvent[]> {
  let page: StoredEvent[] = [];
  for (const event of events(count)) {
    page.push(event);
    if (page.length < PAGE) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

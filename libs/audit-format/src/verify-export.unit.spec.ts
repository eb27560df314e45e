import { Readable } from 'node:stream';
import type { TenantId } from '@weir/kernel';
import { contentHash, examine, genesis } from './chain';
import { eventJson } from './event-json';
import type { StoredEvent } from './event';
import { verifyExport, type Expectation } from './verify-export';
import { writeExport, type Origin } from './write-export';

const TENANT: TenantId = 'ten_01k9x4zq3hf2v8m7c5w6b1n0ap';
const OTHER: TenantId = 'ten_01k9x4zq3hf2v8m7c5w6b1n0aq';

/** A log of `n` events, chained from `from`. */
function logOf(n: number, tenantId = TENANT): StoredEvent[] {
  const events: StoredEvent[] = [];
  for (let position = 1; position <= n; position++) {
    const event = chained({ position, head: events.at(-1)?.chainHash ?? genesis(tenantId) }, tenantId);
    events.push(event);
  }
  return events;
}

function chained({ position, head }: { position: number; head: string }, tenantId: TenantId, name = `n${position} – ü`): StoredEvent {
  const bytes = JSON.stringify({ name });
  const said = {
    tenantId, position, eventId: `019ab3d2-0000-7a40-8f3e-${String(position).padStart(12, '0')}`, stream: `tenant/${tenantId}`, version: position, type: 'tenant.renamed',
    schemaVersion: 1, occurredAt: '2026-11-24T20:31:07.123000Z', recordedAt: '2026-11-24T20:31:07.129482Z', author: 'weir_tenant_registry',
    actor: { type: 'operator', id: 'op' }, action: 'PATCH /v1/tenants/:t', reason: null, requestId: null, causationId: null, correlationId: null,
    commandId: `c${position}`, data: {}, bytes, contentHash: '', chainHash: '',
  } satisfies StoredEvent;
  const event = { ...said, contentHash: contentHash(said) };
  return { ...event, chainHash: examine({ position: position - 1, head }, event).head };
}

const LOG = logOf(6);
const hashAt = (position: number): string => (position === 0 ? genesis(TENANT) : LOG[position - 1]!.chainHash);

async function exported(events: readonly StoredEvent[], origin: Partial<Origin> = {}): Promise<string[]> {
  async function* pages() {
    yield events.slice(0, 4);
    yield events.slice(4);
  }
  const last = LOG.at(-1)!;
  const told = { tenantId: TENANT, from: 1, previousHash: genesis(TENANT), head: { position: 6, chainHash: last.chainHash }, witnessed: null, generatedAt: '2026-11-24T21:00:00.000Z', weirVersion: '0.1.0', ...origin };
  let text = '';
  for await (const piece of writeExport(told, pages())) text += piece;
  return text.split(/(?<=\n)/);
}

const verify = (lines: readonly string[], expected: readonly Expectation[] = []) => verifyExport(Readable.from([Buffer.from(lines.join(''))]), expected);
const found = async (lines: readonly string[]) => (await verify(lines)).findings.map(({ what, line, position }) => [what, line, position]);


describe('an export', () => {
  it('is intact as it was written, however its bytes are cut', async () => {
    const lines = await exported(LOG);
    expect(await verify(lines)).toMatchObject({ result: 'intact', tenantId: TENANT, events: 6, from: 1, to: 6, head: hashAt(6), findings: [], wrong: 0, manifest: { count: 6, firstHash: hashAt(1) } });
    const bytes = Buffer.from(lines.join(''));
    for (const size of [1, 7, 1_000]) {
      const cut = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
      expect(await verifyExport(Readable.from(cut))).toMatchObject({ result: 'intact', events: 6 });
    }
  });

  it('is intact from a later position on, and without events', async () => {
    expect(await verify(await exported(LOG.slice(2), { from: 3, previousHash: hashAt(2) }))).toMatchObject({ result: 'intact', from: 3, to: 6 });
    expect(await verify(await exported([], { from: 7, previousHash: hashAt(6) }))).toMatchObject({ result: 'intact', events: 0, head: null });
    expect(await found(await exported(LOG.slice(2), { from: 3, previousHash: hashAt(1) }))).toEqual([['chain-broken', 1, 3]]);
  });

  it('is broken where a line was edited, whatever was edited in it', async () => {
    const lines = await exported(LOG);
    const edit = (from: string | RegExp, to: string) => found(lines.with(3, lines[3]!.replace(from, to)));
    expect(await edit('"reason":null', '"reason":"paid"')).toEqual([['content-altered', 4, 4], ['manifest-disagrees', 7, null]]);
    expect(await edit('\\"n4', '\\"n5')).toEqual([['content-altered', 4, 4], ['line-altered', 4, 4], ['manifest-disagrees', 7, null]]);
    expect(await edit('"data":{"name":"n4', '"data":{"name":"n5')).toEqual([['line-altered', 4, 4], ['manifest-disagrees', 7, null]]);
    expect(await edit('"reason":null', '"reason":"paid","reason":null')).toEqual([['line-altered', 4, 4], ['manifest-disagrees', 7, null]]);
    expect(await edit(/"chainHash":"./, '"chainHash":"z')).toEqual(expect.arrayContaining([['chain-broken', 4, 4]]));
    for (const said of ['"version":4', '"recordedAt":"2026', '"author":"weir_tenant']) {
      expect(await edit(said, said.replace(/.$/, '5'))).toEqual([['chain-broken', 4, 4], ['manifest-disagrees', 7, null]]);
    }
    expect(await edit('"version":4', '"version":4294967300')).toEqual(expect.arrayContaining([['unreadable-line', 4, null]]));
    expect(await edit('"position":4', '"position":"4"')).toEqual(expect.arrayContaining([['unreadable-line', 4, null]]));
    expect(await edit('–', '\ud800')).not.toEqual([]);
  });

  it('is broken where a line is missing, was added or stands in another order', async () => {
    const lines = await exported(LOG);
    expect(await found(lines.toSpliced(2, 1))).toEqual(expect.arrayContaining([['gap', 3, 4]]));
    expect(await found(lines.toSpliced(0, 1))).toEqual(expect.arrayContaining([['gap', 1, 2]]));
    expect(await found(lines.toSpliced(3, 0, lines[2]!))).toEqual(expect.arrayContaining([['out-of-order', 4, 3]]));
    expect(await found(lines.toSpliced(2, 2, lines[3]!, lines[2]!))).toEqual(expect.arrayContaining([['gap', 3, 4], ['out-of-order', 4, 3]]));
  });

  it('is broken where an event was put in that brings its own hashes, manifest or not', async () => {
    const forged = [...LOG.slice(0, 3), chained({ position: 4, head: hashAt(3) }, TENANT, 'forged'), ...LOG.slice(4)];
    expect(await found(await exported(forged))).toEqual([['chain-broken', 5, 5]]);
  });

  it('is broken when an event is of another log', async () => {
    const foreign = chained({ position: 4, head: hashAt(3) }, OTHER);
    expect(await found(await exported([...LOG.slice(0, 3), foreign]))).toEqual([['another-log', 4, 4], ['truncated', 5, 5]]);
    expect(await found(await exported(LOG, { tenantId: OTHER }))).toEqual(expect.arrayContaining([['manifest-disagrees', 7, null]]));
  });

  it('is broken when it was cut off, at a line or within one, or goes on behind its manifest', async () => {
    const lines = await exported(LOG);
    expect(await found(lines.slice(0, 4))).toEqual([['no-manifest', 4, null]]);
    expect(await found([...lines.slice(0, 3), lines[3]!.slice(0, 50)])).toEqual([['unreadable-line', 4, null], ['no-manifest', 4, null]]);
    expect(await found([...lines, lines[0]!])).toEqual([['after-manifest', 8, null]]);
    expect(await found([])).toEqual([['no-manifest', 0, null]]);
  });

  it('is broken when its manifest is another one', async () => {
    const [lines, other] = [await exported(LOG), await exported(LOG.slice(0, 5))];
    const disagreements = async (manifest: string) => (await verify(lines.with(-1, manifest))).findings.map(({ detail }) => /says (\w+)|read: manifest\.(\w+)/.exec(detail)?.slice(1).find(Boolean));
    expect(await disagreements(other.at(-1)!)).toEqual(['count', 'to', 'lastHash', 'sha256']);
    expect(await disagreements(lines.at(-1)!.replace('"formatVersion":1', '"formatVersion":2'))).toEqual(['formatVersion', undefined]);
    expect(await disagreements(lines.at(-1)!.replace(/"previousHash":"..../, '"previousHash":"0000'))).toEqual(['previousHash']);
  });

  it('is broken when the log ended before its head or before what the bus had seen, or after its head, or was another', async () => {
    const head = { position: 6, chainHash: hashAt(6) };
    const witnessed = { ...head, at: '2026-11-24T20:59:00.000Z' };
    const cut = LOG.slice(0, 4);
    const careful = { position: 4, chainHash: hashAt(4) };
    expect(await found(await exported(cut, { head }))).toEqual([['truncated', 5, 5]]);
    expect(await found(await exported(cut, { head: careful }))).toEqual([]);
    expect(await found(await exported(cut, { head: careful, witnessed }))).toEqual([['truncated', 5, 5]]);
    expect(await found(await exported(LOG, { head: careful }))).toEqual([['beyond-head', 7, 5]]);
    expect(await found(await exported(LOG, { head: { ...head, chainHash: hashAt(5) } }))).toEqual([['rewritten', 7, 6]]);
    expect(await found(await exported(LOG, { witnessed: { ...witnessed, chainHash: hashAt(5) } }))).toEqual([['rewritten', 7, 6]]);
    expect(await found(await exported(LOG, { witnessed: { ...witnessed, chainHash: null } }))).toEqual([]);
  });

  it('that was written anew is found by a chain hash that somebody kept', async () => {
    const rewritten = logOf(2);
    for (let position = 3; position <= 6; position++) rewritten.push(chained({ position, head: rewritten.at(-1)!.chainHash }, TENANT, `other ${position}`));
    const lines = await exported(rewritten, { head: { position: 6, chainHash: rewritten[5]!.chainHash } });
    expect((await verify(lines)).result).toBe('intact');
    const kept = { position: 5, chainHash: hashAt(5) };
    expect((await verify(lines, [kept])).findings).toMatchObject([{ what: 'unexpected-hash', line: 5, position: 5 }]);
    expect((await verify(await exported(LOG), [kept, { position: 2, chainHash: hashAt(2) }])).result).toBe('intact');
    expect((await verify(await exported(LOG), [{ ...kept, position: 9 }])).findings).toMatchObject([{ what: 'unexpected-hash', position: 9 }]);
  });

  it('names many things wrong, up to a bound', async () => {
    const lines = (await exported(LOG)).slice(0, -1).flatMap((line) => Array.from({ length: 10 }, () => line));
    const verdict = await verify(lines);
    expect([verdict.findings.length, verdict.wrong > 50]).toEqual([20, true]);
  });

  it('a line that never ends is not held to its end', async () => {
    async function* endless() {
      for (let i = 0; i < 40; i++) yield Buffer.alloc(1 << 20, 'x');
      throw new Error('read on');
    }
    expect((await verifyExport(endless())).findings).toMatchObject([{ what: 'unreadable-line', line: 1 }, { what: 'no-manifest' }]);
  });

  it('as a table gives it has every line as it is written', () => expect(eventJson(LOG[0]!)).toContain('"dataText":"{\\"name\\":\\"n1 – ü\\"}","data":{"name":"n1 – ü"}}'));
});

import { mintToken } from '@weir/access';
import { chainStart, follow } from '@weir/audit-format';
import { eventLog } from '@weir/event-store';
import { newId, type TenantId } from '@weir/kernel';
import type { Host } from '@weir/service-host';
import { client, eventually, freshDatabase, startTestService, type Client, type TestDatabase } from '@weir/testing';
import { createPool, unitOfWork } from '@weir/tenancy';
import { definition } from '../index';
import { PART } from './archives.http';

const operator = mintToken({ mode: 'live' }).token;
let databases: TestDatabase[];
let hosts: Host[];
let [here, there]: Client[] = [];

beforeAll(async () => {
  databases = [await freshDatabase(), await freshDatabase()];
  hosts = await Promise.all(databases.map((database) => startTestService(definition, { database, environment: { WEIR_OPERATOR_TOKEN: operator } })));
  [here, there] = hosts.map(({ url }) => client(url, operator));
}, 60_000);
afterAll(async () => {
  await Promise.all(hosts.map((host) => host.stop()));
  for (const database of databases) await database.drop();
});

interface Archive {
  readonly head: { tenant: TenantId; exportedAt: string; about: object; applied: string[] };
  readonly parts: readonly Buffer[];
  readonly manifest: object;
}

async function exported(id: TenantId): Promise<Archive> {
  const response = await fetch(`${hosts[0]?.url}/v1/tenants/${id}/export`, { headers: { authorization: `Bearer ${operator}` } });
  expect(response.status).toBe(200);
  const bytes = Buffer.from(await response.arrayBuffer());
  const lineAt = (from: number) => JSON.parse(bytes.subarray(from, bytes.indexOf(0x0a, from)).toString());
  const after = (from: number) => bytes.indexOf(0x0a, from) + 1;
  const head = lineAt(0);
  const parts: Buffer[] = [];
  let at = after(0);
  for (let line = lineAt(at); line.manifest === undefined; line = lineAt(at)) {
    const end = after(at) + line.bytes;
    parts.push(bytes.subarray(at, end));
    at = end;
  }
  return { head, parts, manifest: lineAt(at).manifest };
}

const send = async (id: TenantId, part: Buffer) => {
  const response = await fetch(`${hosts[1]?.url}/v1/tenant-imports/${id}/parts`, { method: 'POST', headers: { authorization: `Bearer ${operator}`, 'content-type': PART }, body: new Uint8Array(part) });
  return { status: response.status, body: await response.json() };
};

let slugs = 0;
async function tenantWithHistory(): Promise<{ id: TenantId; token: string }> {
  const made = await here?.('POST', '/v1/tenants', { slug: `archived-${++slugs}` }, { prefer: 'wait=20' });
  const id = made?.body.tenant.id as TenantId;
  for (const name of ['one', 'two\twith tab and \\ and\nnewline', 'three é 漢']) await here?.('PATCH', `/v1/tenants/${id}`, { name: name.trim() });
  const token = await here?.('POST', `/v1/tenants/${id}/tokens`, { role: 'owner' });
  return { id, token: token?.body.token };
}

async function logOf(database: TestDatabase | undefined, id: TenantId) {
  const pool = createPool({ url: database?.urlOf('tenant-registry') ?? '', name: 'spec', max: 1 });
  const events = await eventLog(unitOfWork(pool, 'tenant-registry')).read(id, { after: 0, limit: 1_000 });
  await pool.end();
  return events;
}

it('E12 a tenant exported into a file, taken in by a fresh installation, goes on: nothing skipped, repeated or reordered', async () => {
  const { id, token } = await tenantWithHistory();
  const { head, parts, manifest } = await exported(id);
  expect((await there?.('POST', '/v1/tenant-imports', head))?.body).toEqual({ lastPart: 0 });
  for (const part of parts) {
    expect((await send(id, part)).status).toBe(200);
    // the answer was lost, and it is sent once more
    expect((await send(id, part)).status).toBe(200);
    expect((await there?.('PATCH', `/v1/tenants/${id}`, { name: 'too early' }))?.status).not.toBe(200);
  }
  const done = await there?.('POST', `/v1/tenant-imports/${id}/complete`, { exportedAt: head.exportedAt, manifest });
  expect(done).toMatchObject({ status: 200, body: { id, slug: `archived-${slugs}`, placement: 'schema' } });

  const gone = client(hosts[1]?.url ?? '', token);
  await eventually(async () => expect((await gone('PATCH', `/v1/tenants/${id}`, { name: 'gone on' })).status).toBe(200));
  const [before, now] = [await logOf(databases[0], id), await logOf(databases[1], id)];
  expect(now.slice(0, before.length)).toEqual(before);
  expect(now.slice(before.length).map(({ type }) => type)).toEqual(['tenant.imported', 'tenant.renamed']);
  expect(follow(chainStart(id), now)).toMatchObject({ position: now.length, firstBreak: undefined });
});

it('an archive that was altered, cut short or put in another order is refused, and what came can be taken away', async () => {
  const { id } = await tenantWithHistory();
  const { head, parts, manifest } = await exported(id);
  await there?.('POST', '/v1/tenant-imports', head);
  const altered = Buffer.from(parts[0] as Buffer);
  altered[altered.length - 3] = (altered[altered.length - 3] as number) ^ 1;
  expect(await send(id, altered)).toMatchObject({ status: 400, body: { code: 'archive-damaged' } });
  expect(await send(id, parts[1] as Buffer)).toMatchObject({ status: 409, body: { code: 'part-missing', lastPart: 0 } });
  await send(id, parts[0] as Buffer);
  expect(await there?.('POST', `/v1/tenant-imports/${id}/complete`, { exportedAt: head.exportedAt, manifest })).toMatchObject({ status: 400, body: { code: 'archive-damaged' } });
  expect((await there?.('POST', '/v1/tenant-imports', head))?.body).toEqual({ lastPart: 1 });
  expect((await there?.('DELETE', `/v1/tenant-imports/${id}`))?.status).toBe(204);
  expect((await there?.('GET', `/v1/tenants/${id}`))?.status).toBe(404);
  expect((await there?.('POST', '/v1/tenant-imports', head))?.body).toEqual({ lastPart: 0 });
  expect((await there?.('DELETE', `/v1/tenant-imports/${id}`))?.status).toBe(204);
});

it('is refused where the tenant is, where its slug is taken, of another release, and to all but the operator', async () => {
  const { id, token } = await tenantWithHistory();
  const { head, parts } = await exported(id);
  expect(await here?.('POST', '/v1/tenant-imports', head)).toMatchObject({ status: 409, body: { code: 'tenant-exists' } });
  expect(await here?.('POST', '/v1/tenant-imports', { ...head, tenant: newId('ten') })).toMatchObject({ status: 409, body: { code: 'slug-taken' } });
  expect(await there?.('POST', '/v1/tenant-imports', { ...head, applied: [...head.applied, 'later/0001'] })).toMatchObject({ status: 409, body: { code: 'release-differs', unknown: ['later/0001'] } });
  const owner = client(hosts[0]?.url ?? '', token);
  await eventually(async () => expect((await owner('GET', `/v1/tenants/${id}/export`)).status).toBe(403));
  const part = await fetch(`${hosts[0]?.url}/v1/tenant-imports/${id}/parts`, { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': PART }, body: new Uint8Array(parts[0] as Buffer) });
  expect(part.status).toBe(403);
});

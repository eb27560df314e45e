import { append } from '@weir/event-store';
import { fact } from '@weir/kernel';
import type { Host } from '@weir/service-host';
import { createPool, unitOfWork } from '@weir/tenancy';
import { client, eventually, freshDatabase, startTestPlatform, startTestService, type Client, type TestDatabase, type TestPlatform, type TestTenant } from '@weir/testing';
import { definition } from '../index';

describe('erasure of persons, as it is asked for', () => {
  let database: TestDatabase;
  let platform: TestPlatform;
  let host: Host;
  let tenant: TestTenant;
  let admin: Client;
  const path = (rest: string, of = tenant) => `/v1/tenants/${of.id}${rest}`;

  beforeAll(async () => {
    database = await freshDatabase();
    platform = await startTestPlatform(database);
    host = await startTestService(definition, { database, environment: { WEIR_OPERATOR_TOKEN: platform.operatorToken } });
  }, 60_000);
  beforeEach(async () => {
    tenant = await platform.newTenant();
    admin = client(host.url, tenant.tokens.admin);
    await eventually(async () => expect((await admin('GET', path('/erasure-receipts/era_0'))).body.code).toBe('not-found'));
  });
  afterAll(async () => {
    await host.stop();
    await platform.stop();
    await database.drop();
  }, 60_000);

  const ALICE = { subjects: [{ username: '@Alice' }, { userId: '107955' }] };

  it('is an event without a name in it, and a receipt that waits for those who hold something', async () => {
    const asked = await admin('POST', path('/subjects/erase'), ALICE, { 'weir-reason': 'letter of 24 November' });
    expect([asked.status, asked.headers.get('location')]).toEqual([202, path(`/erasure-receipts/${asked.body.id}`)]);
    expect(asked.body).toMatchObject({ status: 'running', subjects: 2, reports: [{ service: 'upstream-fetcher', report: null }] });
    const [event] = await platform.logOf('audit-ledger').read(tenant.id, { after: 0, limit: 1, stream: `erasure/${asked.body.id}` });
    expect(event).toMatchObject({ type: 'subject.erasure-requested', reason: 'letter of 24 November', position: asked.body.requested.position, chainHash: asked.body.requested.chainHash });
    expect(JSON.stringify(event).toLowerCase()).not.toMatch(/alice|107955/);
    const again = await admin('POST', path('/subjects/erase'), { subjects: [{ username: 'alice' }] });
    const { pseudonyms } = (await platform.logOf('audit-ledger').read(tenant.id, { after: 0, limit: 1, stream: `erasure/${again.body.id}` }))[0]?.data as { pseudonyms: string[] };
    expect((event?.data as { pseudonyms: string[] }).pseudonyms).toEqual(expect.arrayContaining(pseudonyms));
  });

  it('has a receipt with what each removed once they have reported, and the log still verifies (A3)', async () => {
    const { body } = await admin('POST', path('/subjects/erase'), ALICE);
    const counts = { profiles: 2, posts: 3, jobResults: 1, replays: 0, scheduleTargets: 0, cachedAnswers: 4, suppressed: 3 };
    const pool = createPool({ url: database.urlOf('upstream-fetcher'), name: 'spec', max: 1 });
    await unitOfWork(pool, 'upstream-fetcher').inTenant(tenant.id, (sql) =>
      append(sql, {
        tenant: tenant.id,
        stream: `erasure/${body.id}/upstream-fetcher`,
        expected: 'none',
        events: [fact('subject.erased', { erasureId: body.id, service: 'upstream-fetcher', ...counts, at: Date.now() })],
        context: { actor: { type: 'service', id: 'upstream-fetcher' }, commandId: 'erased', at: Date.now(), action: 'spec' },
      }),
    );
    await pool.end();
    const receipt = await client(host.url, tenant.tokens.auditor)('GET', path(`/erasure-receipts/${body.id}`));
    expect(receipt.body).toMatchObject({ status: 'done', reports: [{ service: 'upstream-fetcher', report: { ...counts, position: expect.any(Number), chainHash: expect.any(String) } }] });
    expect((await client(host.url, tenant.tokens.auditor)('POST', path('/audit/verify'))).body.result).toBe('intact');
  });

  it('is an admin’s to ask for and an auditor’s to look at, of their own tenant (G1, G2), once under an Idempotency-Key (G7)', async () => {
    for (const role of ['member', 'auditor'] as const) expect((await client(host.url, tenant.tokens[role])('POST', path('/subjects/erase'), ALICE)).status).toBe(403);
    const first = await admin('POST', path('/subjects/erase'), ALICE, { 'idempotency-key': 'k' });
    const second = await admin('POST', path('/subjects/erase'), ALICE, { 'idempotency-key': 'k' });
    expect(second.body.id).toBe(first.body.id);
    expect((await client(host.url, tenant.tokens.member)('GET', path(`/erasure-receipts/${first.body.id}`))).status).toBe(403);
    const stranger = await platform.newTenant();
    const theirs = client(host.url, stranger.tokens.admin);
    await eventually(async () => expect((await theirs('GET', path(`/erasure-receipts/${first.body.id}`, stranger))).body.code).toBe('not-found'));
    expect((await theirs('POST', path('/subjects/erase'), ALICE)).status).toBe(404);
  });

  it.each([{ subjects: [] }, { subjects: [{ name: 'alice' }] }, { subjects: [{ username: 'a b' }] }, { subjects: [{ userId: 'x' }] }])('%j is refused', async (body) => {
    expect((await admin('POST', path('/subjects/erase'), body)).status).toBe(400);
  });
});

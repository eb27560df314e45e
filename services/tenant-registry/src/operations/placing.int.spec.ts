import { mintToken } from '@weir/access';
import { newId, type TenantId } from '@weir/kernel';
import type { Host } from '@weir/service-host';
import { client, eventually, freshDatabase, startTestService, type TestDatabase } from '@weir/testing';
import { Client } from 'pg';
import { definition } from '../index';

const operator = mintToken({ mode: 'live' });
let home: TestDatabase;
let eu: TestDatabase;
let host: Host;
let [admin, adminEu]: Client[] = [];

beforeAll(async () => {
  [home, eu] = [await freshDatabase(), await freshDatabase()];
  const withoutLogin = Object.assign(new URL(eu.adminUrl), { username: '', password: '' }).href;
  host = await startTestService(definition, { database: home, environment: { WEIR_OPERATOR_TOKEN: operator.token, WEIR_CLUSTERS: JSON.stringify({ eu: withoutLogin }) } });
  admin = new Client({ connectionString: home.adminUrl });
  adminEu = new Client({ connectionString: eu.adminUrl });
  await Promise.all([admin.connect(), adminEu.connect()]);
}, 60_000);
afterAll(async () => {
  await host.stop();
  await Promise.all([admin?.end(), adminEu?.end()]);
  await Promise.all([home.drop(), eu.drop()]);
});

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a spec reads what it is given
async function ask(method: string, path: string, body?: object, token = operator.token): Promise<{ status: number; body: any }> {
  const response = await fetch(`${host.url}/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, prefer: 'wait=20', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

let slugs = 0;
async function newTenant(more: object = {}): Promise<TenantId> {
  const { body } = await ask('POST', '/tenants', { slug: `placed-${++slugs}`, ...more });
  expect(body).toMatchObject({ status: 'succeeded' });
  return body.tenant.id;
}

const types = async (sql: Client | undefined, id: TenantId) =>
  (await sql?.query(`select type, position from t_${id.slice(4)}.events order by position`))?.rows.map((row) => row.type as string) ?? [];

describe('a placement', () => {
  it('is changed on request: the tenant, its tokens and its log are in the other database, and it goes on there', async () => {
    const id = await newTenant({ placement: 'pooled' });
    const { body: token } = await ask('POST', `/tenants/${id}/tokens`, { role: 'owner' });
    const moved = await ask('PUT', `/tenants/${id}/placement`, { placement: 'database', cluster: 'eu' });
    expect(moved).toMatchObject({ status: 202, body: { kind: 'tenant.move', status: 'succeeded', tenant: { placement: 'database' } } });
    expect(await types(adminEu, id)).toEqual(['tenant.registered', 'project.created', 'api-token.issued', 'tenant.moved']);
    expect((await admin?.query('select count(*)::int as n from weir_pooled.events where tenant_id = $1', [id]))?.rows).toEqual([{ n: 0 }]);

    await eventually(async () => expect((await ask('PATCH', `/tenants/${id}`, { name: 'Gone on' }, token.token)).body).toMatchObject({ name: 'Gone on', placement: 'database' }));
    expect((await ask('GET', `/tenants/${id}/isolation`, undefined, token.token)).body).toMatchObject({ placement: 'database', database: 'eu', others: [], migration: { missing: [] } });
    const listed = (await ask('GET', '/tenants?limit=100')).body.data.filter((tenant: { id: string }) => tenant.id === id);
    expect(listed).toMatchObject([{ name: 'Gone on', placement: 'database' }]);
    const { rows } = (await adminEu?.query('select 1 from weir.news where tenant_id = $1', [id])) ?? { rows: [1] };
    await eventually(async () => expect((await adminEu?.query('select 1 from weir.news where tenant_id = $1', [id]))?.rows ?? rows).toEqual([]), 20_000);
  }, 30_000);

  it('is where it was asked for already: then nothing happens', async () => {
    const id = await newTenant();
    expect((await ask('PUT', `/tenants/${id}/placement`, { placement: 'schema' })).body).toMatchObject({ status: 'succeeded', detail: 'it was there already' });
    expect(await types(admin, id)).not.toContain('tenant.moved');
  });

  it('in a database is one from the beginning for a tenant that is made so', async () => {
    const id = await newTenant({ placement: 'database', cluster: 'eu' });
    expect(await types(adminEu, id)).toEqual(['tenant.registered', 'project.created']);
    expect((await ask('GET', `/tenants/${id}`)).body).toMatchObject({ placement: 'database', status: 'active' });
  });

  it('is refused in a cluster that nobody configured, and for a tenant that is not there', async () => {
    const id = await newTenant();
    expect(await ask('PUT', `/tenants/${id}/placement`, { placement: 'database', cluster: 'mars' })).toMatchObject({ status: 400, body: { code: 'unknown-cluster', known: ['eu'] } });
    expect(await ask('PUT', `/tenants/${id}/placement`, { placement: 'database' })).toMatchObject({ status: 400 });
    expect(await ask('POST', '/tenants', { slug: 'nowhere', placement: 'database' })).toMatchObject({ status: 400, body: { code: 'unknown-cluster' } });
    expect(await ask('PUT', `/tenants/${newId('ten')}/placement`, { placement: 'pooled' })).toMatchObject({ status: 404 });
  });
});

describe('a cluster that is down', () => {
  it('keeps nobody else from being served and no process from starting; a list that would be incomplete is refused', async () => {
    const own = await freshDatabase();
    const half = await startTestService(definition, { database: own, environment: { WEIR_OPERATOR_TOKEN: operator.token, WEIR_CLUSTERS: '{"gone": "postgres://127.0.0.1:1/weir"}' } });
    const call = client(half.url, operator.token);
    const made = await call('POST', '/v1/tenants', { slug: 'at-home' }, { prefer: 'wait=20' });
    expect(made.body).toMatchObject({ status: 'succeeded' });
    expect(await call('PATCH', `/v1/tenants/${made.body.tenantId}`, { name: 'Served' })).toMatchObject({ status: 200 });
    expect(await call('GET', '/v1/tenants')).toMatchObject({ status: 503, body: { code: 'database-unavailable' } });
    expect((await call('POST', '/v1/tenants', { slug: 'not-there', placement: 'database', cluster: 'gone' }, { prefer: 'wait=20' })).body).toMatchObject({ status: 'failed' });
    await half.stop();
    await own.drop();
  });
});

describe('a purge', () => {
  it.each(['schema', 'pooled', 'database'])('takes an offboarded tenant away, data, schema and role (%s); its states are withdrawn and a receipt stays', async (placement) => {
    const id = await newTenant({ placement, ...(placement === 'database' ? { cluster: 'eu' } : {}) });
    const { body: token } = await ask('POST', `/tenants/${id}/tokens`, { role: 'owner' });
    expect(await ask('POST', `/tenants/${id}/purge`)).toMatchObject({ status: 409, body: { code: 'not-offboarded' } });
    await ask('POST', `/tenants/${id}/offboard`);
    expect(await ask('POST', `/tenants/${id}/purge`)).toMatchObject({ status: 202, body: { kind: 'tenant.purge', status: 'succeeded' } });

    expect((await ask('GET', `/tenants/${id}`)).status).toBe(404);
    for (const sql of [admin, adminEu]) {
      const left = await sql?.query(`select (select count(*) from pg_namespace where nspname = $1) + (select count(*) from pg_roles where rolname = $1) + (select count(*) from weir.placements where tenant_id = $2) as n`, [`t_${id.slice(4)}`, id]);
      expect(left?.rows).toEqual([{ n: '0' }]);
    }
    const receipt = await admin?.query(`select type, data from weir_platform.events where stream = $1 order by position`, [`provisioning/${id}`]);
    expect(receipt?.rows.map(({ type }) => type)).toEqual(['tenant.requested', 'tenant.provisioned', 'tenant.purge-started', 'tenant.purged']);
    expect(JSON.parse(receipt?.rows[2].data)).toMatchObject({ position: 4, chainHash: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(JSON.parse(receipt?.rows[3].data)).toMatchObject({ rows: { events: 4, api_tokens: 1 } });
    await eventually(async () => expect((await ask('GET', `/tenants/${id}`, undefined, token.token)).status).toBe(401));
    expect((await ask('POST', '/tenants', { slug: `placed-${slugs}` })).body).toMatchObject({ status: 'succeeded' });
  }, 40_000);
});

describe('migrations', () => {
  it('are shown, planned, run and looked over for drift, by the operator alone', async () => {
    const id = await newTenant();
    const { body: status } = await ask('POST', '/migrations', {});
    expect(status).toMatchObject({ schemas: { behind: 0 }, databases: [{ cluster: 'home' }, { cluster: 'eu' }] });
    expect((await ask('GET', '/migrations/plan')).body).toEqual({ data: [{ cluster: 'home', homes: 0, missing: [] }, { cluster: 'eu', homes: 0, missing: [] }] });
    await admin?.query(`alter table t_${id.slice(4)}.projects add column by_hand int`);
    expect((await ask('GET', '/migrations/drift')).body.data).toEqual([{ cluster: 'home', home: `t_${id.slice(4)}`, kind: 'column', object: 'projects.by_hand', expected: null, found: 'integer' }]);
    await admin?.query(`alter table t_${id.slice(4)}.projects drop column by_hand`);
    expect(await ask('POST', `/tenants/${id}/indexes`, { table: 'projects', columns: ['name'], reason: 'searched by it' })).toMatchObject({ status: 201, body: { name: 'x_projects_name' } });
    expect((await ask('GET', '/migrations/drift')).body.data).toEqual([]);
    const { body: token } = await ask('POST', `/tenants/${id}/tokens`, { role: 'owner' });
    for (const [method, path] of [['GET', '/migrations'], ['GET', '/migrations/plan'], ['GET', '/migrations/drift'], ['POST', '/migrations'], ['PUT', `/tenants/${id}/placement`], ['POST', `/tenants/${id}/purge`]] as const) {
      await eventually(async () => expect((await ask(method, path, method === 'GET' ? undefined : {}, token.token)).status).toBe(403));
    }
  });
});

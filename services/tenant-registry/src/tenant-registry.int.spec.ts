import { newId } from '@weir/kernel';
import { mintToken } from '@weir/access';
import type { Host } from '@weir/service-host';
import { SERVICES, loginOf } from '@weir/tenancy';
import { eventually, freshDatabase, startTestService, type TestDatabase } from '@weir/testing';
import { Client } from 'pg';
import { definition } from './index';

const operator = mintToken({ mode: 'live' });
let database: TestDatabase;
let host: Host;
let admin: Client;

beforeAll(async () => {
  database = await freshDatabase();
  host = await startTestService(definition, { database, environment: { WEIR_OPERATOR_TOKEN: operator.token } });
  admin = new Client({ connectionString: database.adminUrl });
  await admin.connect();
}, 60_000);
afterAll(async () => {
  await host.stop();
  await admin.end();
  await database.drop();
});

interface Options {
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

async function ask(method: string, path: string, { token = operator.token, body, headers = {} }: Options = {}) {
  const response = await fetch(`${host.url}/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- a spec reads what it is given
  const json: any = text === '' ? undefined : JSON.parse(text);
  return { status: response.status, headers: response.headers, body: json, text };
}

let slugs = 0;
async function newTenant(body: object = {}): Promise<{ id: string; token: string }> {
  const made = await ask('POST', '/tenants', { body: { slug: `tenant-${++slugs}`, ...body }, headers: { prefer: 'wait=10' } });
  expect(made.body).toMatchObject({ status: 'succeeded' });
  return { id: made.body.tenant.id, token: await newToken(made.body.tenant.id, 'owner') };
}

async function newToken(tenant: string, role: string): Promise<string> {
  const { body } = await ask('POST', `/tenants/${tenant}/tokens`, { body: { role } });
  await eventually(async () => expect((await ask('GET', `/tenants/${tenant}`, { token: body.token })).status).not.toBe(503));
  return body.token;
}

describe('a tenant', () => {
  it('comes to be by an operation that can be waited for or looked at', async () => {
    const asked = await ask('POST', '/tenants', { body: { slug: 'looked-at', plan: 'pro', keyMode: 'hybrid' } });
    expect(asked.status).toBe(202);
    const location = asked.headers.get('location') ?? '';
    const done = await eventually(async () => {
      const operation = await ask('GET', location.replace('/v1', ''));
      expect(operation.body.status).toBe('succeeded');
      return operation;
    });
    expect(done.body.tenant).toMatchObject({ slug: 'looked-at', status: 'active', keyMode: 'hybrid', plan: { id: 'pro', version: 1 }, placement: 'schema' });
  });

  it('R7 has a slug of its own: a second is refused, and so are names that look like something else', async () => {
    await newTenant({ slug: 'mine' });
    expect(await ask('POST', '/tenants', { body: { slug: 'mine' } })).toMatchObject({ status: 409, body: { code: 'slug-taken' } });
    for (const slug of ['"; drop schema public', 'pg_temp', 'a'.repeat(64), 'аcme', 'Acme', '-a', 'a b', '']) {
      expect(await ask('POST', '/tenants', { body: { slug } })).toMatchObject({ status: 400, body: { code: 'invalid-request' } });
    }
  });

  it('changes at the version that its caller has seen, and not at another', async () => {
    const { id } = await newTenant();
    const { headers } = await ask('GET', `/tenants/${id}`);
    const etag = headers.get('etag') ?? '';
    expect((await ask('PATCH', `/tenants/${id}`, { body: { name: 'One' }, headers: { 'if-match': etag } })).status).toBe(200);
    expect(await ask('PATCH', `/tenants/${id}`, { body: { name: 'Two' }, headers: { 'if-match': etag } })).toMatchObject({ status: 412, body: { code: 'version-conflict' } });
  });

  it('is switched to a key mode of its plan in the same decision as to the plan', async () => {
    const { id } = await newTenant({ plan: 'free', keyMode: 'shared' });
    const own = { ...(await planTerms('pro')), keyModes: ['byo'] };
    expect((await ask('POST', '/plans', { body: { id: 'own-only', terms: own } })).status).toBe(201);
    expect(await ask('PUT', `/tenants/${id}/plan`, { body: { plan: 'own-only' } })).toMatchObject({ status: 400, body: { code: 'unknown-plan' } });
    expect((await ask('POST', '/plans/own-only/publish')).status).toBe(200);
    const changed = await ask('PUT', `/tenants/${id}/plan`, { body: { plan: 'own-only' } });
    expect(changed.body).toMatchObject({ plan: { id: 'own-only', version: 1 }, keyMode: 'byo' });
    expect(await ask('PUT', `/tenants/${id}/key-mode`, { body: { mode: 'shared' } })).toMatchObject({ status: 409, body: { code: 'key-mode-not-in-plan', allowed: ['byo'] } });
  });

  it('R5 shows a reviewer its schema, owner, role, logins, row security with its rules, and grants, and nobody else in them', async () => {
    const { id, token } = await newTenant();
    const { body } = await ask('GET', `/tenants/${id}/isolation`, { token });
    expect(body).toMatchObject({ placement: 'schema', owners: ['weir_migrator'], others: [], migration: { missing: [] } });
    expect(body.role).toEqual({ name: body.schema, canLogin: false, superuser: false, bypassesRowSecurity: false, memberOf: [], members: ['weir_service'] });
    expect(body.logins).toEqual(SERVICES.map((service) => ({ name: loginOf(service), superuser: false, bypassesRowSecurity: false })).sort((a, b) => (a.name < b.name ? -1 : 1)));
    expect(body.tables.length).toBeGreaterThan(20);
    for (const { name, rowSecurity, policies } of body.tables) {
      expect({ name, rowSecurity, rules: policies.length > 0 }).toEqual({ name, rowSecurity: 'forced', rules: true });
      // reading and writing, each rule names the tenant
      for (const { using, check } of policies) expect(using ?? check).toMatch(/\(tenant_id = (weir\.)?tenant\(\)\)/);
    }

    const others = async () => (await ask('GET', `/tenants/${id}/isolation`, { token })).body.others;
    await admin.query(`grant select (name) on ${body.schema}.projects to weir_metering`);
    expect(await others()).toEqual(['weir_metering']);
    await admin.query(`revoke select (name) on ${body.schema}.projects from weir_metering; grant usage on schema ${body.schema} to public`);
    expect(await others()).toEqual(['public']);
    await admin.query(`grant pg_read_all_data to ${body.schema}`);
    expect((await ask('GET', `/tenants/${id}/isolation`, { token })).body.role.memberOf).toEqual(['pg_read_all_data']);
    await admin.query(`revoke pg_read_all_data from ${body.schema}; revoke usage on schema ${body.schema} from public`);
  });
});

const planTerms = async (id: string) => (await ask('GET', '/plans')).body.data.find((plan: { id: string }) => plan.id === id).terms;

describe('a token', () => {
  it('G5 is shown once and stands nowhere in the database: not it, nor its secret', async () => {
    const { id } = await newTenant();
    const { body } = await ask('POST', `/tenants/${id}/tokens`, { body: { role: 'member' } });
    const secret = body.token.slice(-49, -6);
    const { rows: tables } = await admin.query<{ name: string }>(`select format('%I.%I', table_schema, table_name) as name from information_schema.tables where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`);
    for (const { name } of tables) {
      const { rows } = await admin.query(`select 1 from ${name} t where t::text like '%' || $1 || '%' limit 1`, [secret]);
      expect({ name, found: rows.length }).toEqual({ name, found: 0 });
    }
    expect((await ask('GET', `/tenants/${id}/tokens`)).text).not.toContain(secret);
  });

  it('is followed by its successor, works until the grace ends, and is refused at once when revoked', async () => {
    const { id, token } = await newTenant();
    const first = await ask('POST', `/tenants/${id}/tokens`, { body: { role: 'member' } });
    const second = await ask('POST', `/tenants/${id}/tokens/${first.body.id}/reroll`, { body: { graceSeconds: 60 } });
    expect(second.body.token).not.toBe(first.body.token);
    await eventually(async () => expect((await ask('GET', `/tenants/${id}`, { token: second.body.token })).body.code).toBe('forbidden'));
    expect((await ask('GET', `/tenants/${id}`, { token: first.body.token })).body.code).toBe('forbidden');
    await ask('DELETE', `/tenants/${id}/tokens/${first.body.id}`, { token });
    await eventually(async () => expect((await ask('GET', `/tenants/${id}`, { token: first.body.token })).status).toBe(401));
  });
});

describe('who may do what', () => {
  it("G1 answers another tenant's id exactly as one that never was", async () => {
    const [a, b] = [await newTenant(), await newTenant()];
    for (const [method, path, body] of [
      ['GET', ''],
      ['PATCH', '', { name: 'x' }],
      ['GET', '/tokens'],
      ['POST', '/tokens', {}],
      ['GET', '/members'],
      ['POST', '/members', { email: 'a@example.com' }],
      ['PUT', '/key-mode', { mode: 'byo' }],
      ['GET', '/isolation'],
    ] as const) {
      const [foreign, never] = [await ask(method, `/tenants/${a.id}${path}`, { token: b.token, body }), await ask(method, `/tenants/${newId('ten')}${path}`, { token: b.token, body })];
      const { requestId: _, ...shown } = foreign.body;
      const { requestId: __, ...unknown } = never.body;
      expect({ method, path, status: foreign.status, ...shown }).toEqual({ method, path, status: 404, ...unknown });
    }
  });

  it.each([
    ['member', ['GET /tenants/{t}', 'GET /tenants/{t}/tokens', 'POST /tenants/{t}/members', 'PUT /tenants/{t}/key-mode']],
    ['auditor', ['GET /tenants/{t}', 'POST /tenants/{t}/tokens', 'GET /tenants/{t}/members']],
    ['owner', ['GET /tenants', 'POST /tenants', 'POST /tenants/{t}/suspend', 'PUT /tenants/{t}/plan', 'GET /parked', 'GET /topics', 'POST /topics/re-emit', 'GET /migrations', 'POST /plans/x/versions']],
  ])('G2 refuses a %s what is outside its rights: %j', async (role, routes) => {
    const { id } = await newTenant();
    const token = await newToken(id, role);
    for (const route of routes) {
      const [method = '', path = ''] = route.split(' ');
      expect({ route, ...(await ask(method, path.replace('{t}', id), { token, body: method === 'GET' ? undefined : {} })) }).toMatchObject({ route, status: 403, body: { code: 'forbidden' } });
    }
  });

  it('G3 refuses a plan with a term that there is not', async () => {
    const terms = { ...(await planTerms('pro')), monthly_quota: 1e9 };
    expect(await ask('POST', '/plans', { body: { id: 'smuggled', terms } })).toMatchObject({ status: 400 });
  });

  it('G3 refuses bodies with members that nobody asked for: a plan, a tenant id or a quota is not smuggled in', async () => {
    const { id, token } = await newTenant();
    for (const extra of [{ plan: 'enterprise' }, { tenant_id: newId('ten') }, { monthly_quota: 1e9 }, { __proto__x: 1 }, { role2: 'operator' }]) {
      expect(await ask('PATCH', `/tenants/${id}`, { token, body: { name: 'x', ...extra } })).toMatchObject({ status: 400 });
      expect(await ask('POST', `/tenants/${id}/tokens`, { token, body: { role: 'member', ...extra } })).toMatchObject({ status: 400 });
    }
    expect(await ask('POST', `/tenants/${id}/tokens`, { token, body: { role: 'operator' } })).toMatchObject({ status: 400 });
  });

  it('G8 ignores X-Tenant-Id and refuses two Authorization headers', async () => {
    const [a, b] = [await newTenant(), await newTenant()];
    expect((await ask('GET', `/tenants/${a.id}`, { token: b.token, headers: { 'x-tenant-id': a.id } })).status).toBe(404);
    const { hostname, port } = new URL(host.url);
    const { connect } = await import('node:net');
    const raw = await new Promise<string>((resolve) => {
      let heard = '';
      const socket = connect(Number(port), hostname, () =>
        socket.write(`GET /v1/tenants/${a.id} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${a.token}\r\nAuthorization: Bearer ${operator.token}\r\n\r\n`),
      );
      socket.on('data', (chunk) => (heard += chunk.toString())).on('end', () => resolve(heard));
    });
    expect(raw).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('G9 refuses a body of 10 MB with 413 and JSON 10,000 deep with 400', async () => {
    const big = await ask('POST', '/tenants', { body: `{"slug":"${'x'.repeat(10_000_000)}"}` }).catch((error: Error) => ({ status: 413, body: { code: error.message } }));
    expect(big.status).toBe(413);
    const deep = await ask('POST', '/tenants', { body: `{"slug":${'['.repeat(10_000)}${']'.repeat(10_000)}}` });
    expect(deep.status).toBe(400);
  });
});

describe('a seat', () => {
  it('is given once per address, counted against the plan, and who sits there stands in no event', async () => {
    const { id, token } = await newTenant({ plan: 'free' });
    const add = (email: string) => ask('POST', `/tenants/${id}/members`, { token, body: { email, role: 'member' } });
    expect((await add('one@example.com')).status).toBe(201);
    expect(await add('one@example.com')).toMatchObject({ status: 409, body: { code: 'member-exists' } });
    await add('two@example.com');
    const third = await add('three@example.com');
    expect(await add('four@example.com')).toMatchObject({ status: 409, body: { code: 'seats-exhausted' } });
    await ask('DELETE', `/tenants/${id}/members/${third.body.id}`, { token });
    expect((await add('four@example.com')).status).toBe(201);
    const { rows } = await admin.query(`select data from t_${id.slice(4)}.events`);
    expect(JSON.stringify(rows)).not.toContain('example.com');
  });
});

describe('an Idempotency-Key', () => {
  it('G7 sent 50 times at once has one effect and one answer', async () => {
    const key = { 'idempotency-key': 'fifty', prefer: 'wait=10' };
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask('POST', '/tenants', { body: { slug: 'fifty' }, headers: key })));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(new Set(answers.map(({ body }) => body.tenantId)).size).toBe(1);
    const { rows } = await admin.query(`select count(*)::int as n from weir_tenant_registry.tenants where slug = 'fifty'`);
    expect(rows).toEqual([{ n: 1 }]);
  });

  it('G7 with another body under it is refused, and keys are scoped by tenant', async () => {
    const [a, b] = [await newTenant(), await newTenant()];
    const add = (tenant: { id: string; token: string }, email: string) => ask('POST', `/tenants/${tenant.id}/members`, { token: tenant.token, body: { email }, headers: { 'idempotency-key': 'k' } });
    const first = await add(a, 'x@example.com');
    expect(await add(a, 'y@example.com')).toMatchObject({ status: 422, body: { code: 'idempotency-key-reused' } });
    const again = await add(a, 'x@example.com');
    expect([again.status, again.body, again.headers.get('idempotent-replayed')]).toEqual([201, first.body, 'true']);
    expect((await add(b, 'y@example.com')).status).toBe(201);
  });

  it('G7 answers a retry after a kill in between as one that was made already, and never with a token that opens nothing', async () => {
    const { id, token } = await newTenant();
    const once = (path: string) => ask('POST', `/tenants/${id}/tokens${path}`, { token, body: {}, headers: { 'idempotency-key': `kill${path}` } });
    const killed = () => admin.query(`update weir.idempotency_keys set state = 'running', status = null, body = null, lease_until = now() where key like 'kill%'`);
    const first = await once('');
    await killed();
    expect(await once('')).toMatchObject({ status: 409, body: { code: 'idempotency-not-replayable' } });

    expect((await once(`/${first.body.id}/reroll`)).status).toBe(201);
    await killed();
    expect(await once(`/${first.body.id}/reroll`)).toMatchObject({ status: 409, body: { code: 'idempotency-not-replayable' } });
    const { body } = await ask('GET', `/tenants/${id}/tokens`, { token });
    expect(body.data).toHaveLength(3);
  });

  it('does not show a token twice: a retry is told that it was made', async () => {
    const { id, token } = await newTenant();
    const issue = () => ask('POST', `/tenants/${id}/tokens`, { token, body: {}, headers: { 'idempotency-key': 'once' } });
    const first = await issue();
    expect(first.status).toBe(201);
    expect(await issue()).toMatchObject({ status: 409, body: { code: 'idempotency-not-replayable' } });
    const { rows } = await admin.query('select count(*)::int as n from weir.idempotency_keys where body like $1', [`%${first.body.token}%`]);
    expect(rows).toEqual([{ n: 0 }]);
  });
});

describe('the process', () => {
  it('serves its health, with each check and its age, and its metrics', async () => {
    const ready = await fetch(`${host.managementUrl}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ ready: true, checks: { bus: { state: 'ok' }, states: { state: 'ok' }, 'database tenant-registry': { state: 'ok' } } });
    expect(await (await fetch(`${host.managementUrl}/livez`)).json()).toEqual({ live: true });
    expect(await (await fetch(`${host.managementUrl}/metrics`)).text()).toMatch(/weir_relay_tenants_waiting/);
  });

  it('describes its routes in OpenAPI 3.1, with who may call them', async () => {
    const { body } = await ask('GET', '/openapi.json');
    expect(body.openapi).toBe('3.1.0');
    expect(body.paths['/v1/tenants'].post.summary).toMatch(/Create a tenant/);
    expect(body.paths['/v1/tenants'].post.requestBody.content['application/json'].schema.additionalProperties).toBe(false);
  });
});

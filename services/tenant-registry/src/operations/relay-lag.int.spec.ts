import { mintToken } from '@weir/access';
import type { Host } from '@weir/service-host';
import { client, eventually, freshDatabase, startTestService, type Client, type TestDatabase } from '@weir/testing';
import { Client as Postgres } from 'pg';
import { definition } from '../index';

let database: TestDatabase;
let host: Host;
let admin: Postgres;
let operator: Client;
const tenants: string[] = [];

const lag = async (query = '') => (await operator('GET', `/v1/relay/lag${query}`)).body;
const of = async (id: string) => (await operator('GET', `/v1/relay/lag/${id}`)).body;
const seriesOf = async (metric: string) => {
  const text = await (await fetch(`${host.managementUrl}/metrics`)).text();
  return new Map([...text.matchAll(new RegExp(`^${metric}(?:\\{tenant="([^"]+)"\\})? ([\\d.e+-]+)$`, 'gm'))].map(([, tenant = '', value]) => [tenant, Number(value)]));
};

beforeAll(async () => {
  database = await freshDatabase();
  const { token } = mintToken({ mode: 'live' });
  host = await startTestService(definition, { database, environment: { WEIR_OPERATOR_TOKEN: token, WEIR_RELAY_LAG_TENANTS: '2' } });
  operator = client(host.url, token);
  admin = new Postgres({ connectionString: database.adminUrl });
  await admin.connect();
  for (const slug of ['first', 'second', 'third']) tenants.push((await operator('POST', '/v1/tenants', { slug }, { prefer: 'wait=20' })).body.tenantId);
  await eventually(async () => expect(await lag()).toEqual({ data: [], nextCursor: null }));
}, 60_000);
afterAll(async () => {
  await host.stop();
  await admin.end();
  await database.drop();
});

describe('how far the relay is behind', () => {
  it('is told of any tenant that is published, with where its log stands', async () => {
    expect(await of(tenants[0] ?? '')).toMatchObject({ tenantId: tenants[0], events: 0, seconds: 0, published: 2, reEmitting: false, caughtUpAt: expect.stringMatching(/Z$/) });
    expect((await of('ten_platform')).published).toBeGreaterThan(0);
    for (const unknown of ['ten_00000000000000000000000000', 'nonsense']) expect(await operator('GET', `/v1/relay/lag/${unknown}`)).toMatchObject({ status: 404 });
  });

  it('is told of every tenant that waits, page by page, and is a metric of each up to the number that was set, and of how many beyond', async () => {
    // somebody has them in hand and does not go on
    await admin.query(`update weir.relay_checkpoints set lease_until = now() + interval '1 h' where tenant_id = any ($1)`, [tenants]);
    for (const [n, id] of tenants.entries()) {
      for (let times = 0; times <= n; times++) await operator('PATCH', `/v1/tenants/${id}`, { name: `renamed ${times}` });
    }
    const first = await lag('?limit=2');
    const rest = await lag(`?limit=2&cursor=${first.nextCursor}`);
    expect([...first.data, ...rest.data]).toMatchObject(tenants.map((tenantId, n) => ({ tenantId, events: n + 1, reEmitting: false })));
    expect(rest.nextCursor).toBeNull();
    expect((await of(tenants[2] ?? '')).events).toBe(3);

    expect(await seriesOf('weir_relay_tenant_lag_events')).toEqual(new Map([[tenants[0], 1], [tenants[1], 2]]));
    const seconds = await seriesOf('weir_relay_tenant_lag_seconds');
    expect([...seconds.keys()]).toEqual(tenants.slice(0, 2));
    expect(await seriesOf('weir_relay_tenants_unnamed')).toEqual(new Map([['', 1]]));
    expect(await seriesOf('weir_relay_lag_events')).toEqual(new Map([['', 6]]));

    await admin.query('update weir.relay_checkpoints set lease_until = now()');
    await eventually(async () => expect(await lag()).toEqual({ data: [], nextCursor: null }));
    expect(await seriesOf('weir_relay_tenant_lag_events')).toEqual(new Map());
  });
});

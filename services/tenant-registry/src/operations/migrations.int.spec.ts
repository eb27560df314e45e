import { mintToken } from '@weir/access';
import type { Host } from '@weir/service-host';
import { client, eventually, freshDatabase, servers, startTestService, type Client, type TestDatabase } from '@weir/testing';
import { Client as Postgres } from 'pg';
import { definition } from '../index';

let home: TestDatabase;
let eu: TestDatabase;
let host: Host;
let admin: Postgres;
let server: Postgres;
let operator: Client;

const status = async () => (await operator('GET', '/v1/migrations')).body;
const run = () => operator('POST', '/v1/migrations', {});
/** A run is a second old at most when it is answered: a busy machine needs longer. */
const ended = () =>
  eventually(async () => {
    const said = await status();
    expect(said.running).toBe(false);
    return said;
  }, 15_000);

beforeAll(async () => {
  [home, eu] = [await freshDatabase(), await freshDatabase()];
  const withoutLogin = Object.assign(new URL(eu.adminUrl), { username: '', password: '' }).href;
  const { token } = mintToken({ mode: 'live' });
  host = await startTestService(definition, { database: home, environment: { WEIR_OPERATOR_TOKEN: token, WEIR_CLUSTERS: JSON.stringify({ eu: withoutLogin }) } });
  operator = client(host.url, token);
  admin = new Postgres({ connectionString: home.adminUrl });
  server = new Postgres({ connectionString: servers().postgresUrl });
  await Promise.all([admin.connect(), server.connect()]);
}, 60_000);
afterAll(async () => {
  await host.stop();
  await Promise.all([admin.end(), server.end()]);
  await Promise.all([home.drop(), eu.drop()]);
});

describe('a run of the migrator that an operator asks for', () => {
  it('is on record as a whole: who asked, when it began and ended, and what it did', async () => {
    expect(await status()).toMatchObject({ running: false, run: null });
    expect(await run()).toMatchObject({ status: 202 });
    const { run: order, databases } = await ended();
    expect(order).toMatchObject({ state: 'done', migrated: 0, error: null, by: expect.stringMatching(/^operator:/) });
    expect(Date.parse(order.finishedAt)).toBeGreaterThanOrEqual(Date.parse(order.startedAt));
    expect(databases).toMatchObject([{ cluster: 'home', behind: 0, error: null }, { cluster: 'eu', behind: 0, error: null }]);
  });

  it('R9 says which schema stopped it and why, in the answer and ever after', async () => {
    const made = await operator('POST', '/v1/tenants', { slug: 'fails' }, { prefer: 'wait=20' });
    const schema = `t_${made.body.tenantId.slice(4)}`;
    const { rows } = await admin.query<{ applied: string[] }>('select applied from weir.homes where schema_name = $1', [schema]);
    // what is there already cannot be made again
    await admin.query('update weir.homes set applied = $2 where schema_name = $1', [schema, rows[0]?.applied.slice(0, -1)]);
    await run();
    const said = await ended();
    expect(said.run).toMatchObject({ state: 'failed', migrated: null, error: { code: 'migration-failed', message: expect.stringContaining(`${schema}: `) } });
    expect(said.databases[0]).toMatchObject({ behind: 1, run: { state: 'stopped', failed: [{ home: schema }] } });

    await admin.query('update weir.homes set applied = $2 where schema_name = $1', [schema, rows[0]?.applied]);
    await run();
    expect((await ended()).run).toMatchObject({ state: 'done', error: null });
  });

  it('says which database was away, has brought the others to the release, and goes on once it is back', async () => {
    await server.query(`alter database ${eu.name} allow_connections false`);
    await server.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [eu.name]);
    try {
      await run();
      const said = await ended();
      expect(said.run).toMatchObject({ state: 'failed', error: { code: 'migration-cut-off', message: expect.stringContaining('database eu') } });
      expect(said.databases).toMatchObject([{ cluster: 'home', behind: 0, error: null }, { cluster: 'eu', current: null, behind: null, error: expect.stringContaining('not currently accepting connections') }]);
    } finally {
      await server.query(`alter database ${eu.name} allow_connections true`);
    }
    await run();
    expect((await ended()).run).toMatchObject({ state: 'done' });
  });

  it('is one at a time over all replicas: another is joined, and one whose process has died is said to be cut off and followed by the next', async () => {
    const other = `insert into weir_tenant_registry.migration_orders (id, state, actor, alive_until) values ($1, 'running', 'operator:x', now() + $2 * interval '1 s')`;
    await admin.query(other, ['op_alive', 60]);
    expect((await run()).body).toMatchObject({ running: true, run: { id: 'op_alive', state: 'running', finishedAt: null } });
    await admin.query(`update weir_tenant_registry.migration_orders set alive_until = now() - interval '1 s' where id = 'op_alive'`);
    expect(await status()).toMatchObject({ running: false, run: { id: 'op_alive', state: 'cut-off', error: { code: 'cut-off' } } });
    await run();
    expect((await ended()).run).toMatchObject({ state: 'done' });
    const { rows } = await admin.query(`select state from weir_tenant_registry.migration_orders where id = 'op_alive'`);
    expect(rows).toEqual([{ state: 'cut-off' }]);
  });
});

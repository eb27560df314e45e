import { mintToken } from '@weir/access';
import type { TenantId } from '@weir/kernel';
import type { Host } from '@weir/service-host';
import { client, eventually, freshDatabase, startTestService, type TestDatabase } from '@weir/testing';
import { collectBundle, createPool, provisioner } from '@weir/tenancy';
import { Client as Postgres } from 'pg';
import { definition } from '../index';

const operator = mintToken({ mode: 'live' }).token;
let database: TestDatabase;
let admin: Postgres;

beforeAll(async () => {
  database = await freshDatabase();
  admin = new Postgres({ connectionString: database.adminUrl });
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await database.drop();
});

const start = (): Promise<Host> => startTestService(definition, { database, environment: { WEIR_OPERATOR_TOKEN: operator } });

it.each([
  ['on record', async (id: string) => void (await undoSchema(id))],
  ['with a schema', async (id: string) => void (await undoLog(id))],
  ['with a log', async () => undefined],
])('R8 a tenant that a killed registry left %s is made by its next start: one schema, one row, each event once', async (_, undo) => {
  const host = await start();
  const made = await client(host.url, operator)('POST', '/v1/tenants', { slug: `left-${++slugs}` }, { prefer: 'wait=20' });
  await host.stop();
  const id = made.body.tenantId as string;
  await undo(id);
  await admin.query(`update weir_tenant_registry.operations set status = 'running', finished_at = null where tenant_id = $1`, [id]);

  const next = await start();
  await eventually(async () => expect((await client(next.url, operator)('GET', `/v1/operations/${made.body.id}`)).body).toMatchObject({ status: 'succeeded', tenant: { slug: `left-${slugs}`, status: 'active' } }));
  await next.stop();
  const { rows } = await admin.query(`select type from t_${id.slice(4)}.events order by position`);
  expect(rows.map(({ type }) => type)).toEqual(['tenant.registered', 'project.created']);
  const placed = await admin.query('select count(*)::int as n from weir.placements where tenant_id = $1', [id]);
  expect(placed.rows).toEqual([{ n: 1 }]);
});

let slugs = 0;

async function undoSchema(id: string): Promise<void> {
  await admin.query(`drop schema t_${id.slice(4)} cascade; delete from weir.homes where schema_name = 't_${id.slice(4)}'; delete from weir.placements where tenant_id = '${id}'`);
  await undoRow(id);
}

async function undoLog(id: string): Promise<void> {
  await undoSchema(id);
  const migrator = createPool({ url: database.migratorUrl, name: 'spec', max: 1 });
  await provisioner(migrator, collectBundle()).provision(id as TenantId, 'schema');
  await migrator.end();
}

const undoRow = (id: string) => admin.query(`update weir_tenant_registry.tenants set status = 'provisioning', version = 0 where id = $1`, [id]);

import { newId, type TenantId } from '@weir/kernel';
import { eventually, freshDatabase, type TestDatabase } from '@weir/testing';
import { Client, type Pool } from 'pg';
import { collectBundle } from './bundle';
import { exportTenant } from './exporter';
import { schemaOf } from './names';
import { createPool } from './pool';
import { provisioner } from './provisioning';

const NAME = 'spec/export';

let database: TestDatabase;
let admin: Client;
let migrator: Pool;
let tenant: TenantId;

interface Connected {
  readonly connection: { readonly stream: { destroy(): void } };
}
const clients: Connected[] = [];

beforeAll(async () => {
  database = await freshDatabase();
  admin = new Client({ connectionString: database.adminUrl });
  await admin.connect();
  migrator = createPool({ url: database.migratorUrl, name: NAME, max: 2, onError: () => undefined });
  migrator.on('connect', (client) => void clients.push(client as unknown as Connected));
  tenant = newId('ten');
  await provisioner(migrator, collectBundle()).provision(tenant, 'schema');
  // some 12 MB: more than the sockets between hold, so that the COPY is under way when a part has come
  await admin.query(
    `insert into ${schemaOf(tenant)}.published_states (tenant_id, topic, key, version, body, seq, owner)
     select $1, 'weir.tenant.state', n::text, 1, (select string_agg(md5(n || '/' || i), '') from generate_series(1, 190) i), n, 'spec' from generate_series(1, 2000) n`,
    [tenant],
  );
}, 60_000);
afterAll(async () => {
  await Promise.all([admin.end(), migrator.end()]);
  await database.drop();
});

const begun = async (): Promise<AsyncGenerator<Buffer>> => {
  const archive = exportTenant(migrator, tenant, {}, Date.now());
  for (let part = 0; part < 4; part++) expect((await archive.next()).done).toBe(false);
  return archive;
};
const sessions = async (): Promise<number> => {
  const { rows } = await admin.query('select count(*)::int as n from pg_stat_activity where application_name = $1 and datname = $2 and xact_start is not null', [NAME, database.name]);
  return rows[0].n as number;
};
const kill = () => admin.query('select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and datname = $2', [NAME, database.name]);
/** The server says nothing more: its host or the network is gone. */
const cutOff = () => {
  for (const client of clients.splice(0)) client.connection.stream.destroy();
  return Promise.resolve();
};
const rest = async (archive: AsyncGenerator<Buffer>): Promise<number> => {
  let parts = 0;
  for await (const _ of archive) parts++;
  return parts;
};

describe('an export', () => {
  it.each([
    ['killed', kill],
    ['cut off', cutOff],
  ])('whose session is %s in the middle of a COPY ends with an error and does not wait for ever', async (_, end) => {
    // before a part is asked for, and while one is waited for
    const archive = await begun();
    await end();
    await expect(rest(archive)).rejects.toThrow(/terminat|not queryable/);
    const outcome = expect(rest(await begun())).rejects.toThrow(/terminat|not queryable/);
    await end();
    await outcome;
    // between two statements
    const archived = exportTenant(migrator, tenant, {}, Date.now());
    await archived.next();
    await end();
    await eventually(async () => expect(await sessions()).toBe(0));
    await expect(rest(archived)).rejects.toThrow(/terminat|not queryable/);
    // and the next one is whole
    expect(await rest(await begun())).toBeGreaterThan(30);
  });

  it('that its reader leaves in the middle ends its transaction', async () => {
    const archive = await begun();
    expect(await sessions()).toBe(1);
    await archive.return(undefined);
    await eventually(async () => expect(await sessions()).toBe(0));
  });
});

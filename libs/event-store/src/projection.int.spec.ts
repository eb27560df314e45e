import { fact, newId, type CommandContext, type TenantId } from '@weir/kernel';
import { collectBundle, createPool, provisioner, unitOfWork, type UnitOfWork } from '@weir/tenancy';
import { freshDatabase, type TestDatabase } from '@weir/testing';
import { Client, type Pool } from 'pg';
import { append } from './append';
import { eventLog, type EventLog } from './event-log';
import { projection, type ProjectionDefinition } from './projection';

let database: TestDatabase;
let pool: Pool;
let migrator: Pool;
let admin: Client;
let work: UnitOfWork;
let log: EventLog;

beforeAll(async () => {
  database = await freshDatabase();
  pool = createPool({ url: database.urlOf('tenant-registry'), name: 'spec', max: 5 });
  migrator = createPool({ url: database.migratorUrl, name: 'spec/migrator', max: 1 });
  admin = new Client({ connectionString: database.adminUrl });
  await admin.connect();
  work = unitOfWork(pool, 'tenant-registry');
  log = eventLog(work);
});
afterAll(async () => {
  await Promise.all([pool.end(), migrator.end(), admin.end()]);
  await database.drop();
});

/** A tenant with so many events, and a table for its projection as a migration would have made it. */
async function tenantWith(events: number): Promise<TenantId> {
  const id = newId('ten');
  await provisioner(migrator, collectBundle()).provision(id, 'schema');
  const home = `t_${id.slice(4)}`;
  await admin.query(`begin; set local search_path = ${home}; set local weir.provisioning_role = '${home}';
    create table seen (tenant_id text, generation int, position bigint, name text, primary key (tenant_id, generation, position));
    select weir.owned_by('seen', 'weir_tenant_registry'); commit`);
  for (let n = 1; n <= events; n++) await rename(id, `n${n}`);
  return id;
}

const by = (commandId: string): CommandContext => ({ actor: { type: 'operator', id: 'op' }, commandId, at: Date.now(), action: 'spec' });
const renaming = (tenant: TenantId, name: string) =>
  ({ tenant, stream: 's', expected: 'any', events: [fact('tenant.renamed', { name })], context: by(name) }) as const;
const rename = (tenant: TenantId, name: string) => log.append(renaming(tenant, name));

/** Fails on an event that comes twice: its primary key is the position. */
const seen = (rest: Partial<ProjectionDefinition> = {}): ProjectionDefinition => ({
  name: 'seen',
  version: 1,
  tables: ['seen'],
  apply: async (sql, events, generation) => {
    for (const { tenantId, position, data } of events)
      await sql.query('insert into seen values ($1, $2, $3, $4)', [tenantId, generation, position, (data as { name: string }).name]);
  },
  ...rest,
});

const upTo = (n: number) => Array.from({ length: n }, (_, index) => `n${index + 1}`);

async function live(tenant: TenantId): Promise<string[]> {
  const { rows } = await work.inTenant(tenant, (sql) =>
    sql.query<{ name: string }>(`select name from seen s join log_projections p using (tenant_id, generation) where p.projection = 'seen' and p.live order by s.position`),
  );
  return rows.map(({ name }) => name);
}
const all = async (tenant: TenantId) => Number((await work.inTenant(tenant, (sql) => sql.query<{ n: string }>('select count(*) as n from seen'))).rows[0]?.n);

describe('a projection', () => {
  it('catches up from the log in batches, each event once, whoever else does it at the same time', async () => {
    const tenant = await tenantWith(7);
    const one = projection(work, seen(), { batch: 2 });
    await Promise.all([one, one, projection(work, seen(), { batch: 3 })].map((each) => each.catchUp(tenant)));
    expect(await live(tenant)).toEqual(upTo(7));
    await rename(tenant, 'n8');
    await Promise.all([one.catchUp(tenant), one.catchUp(tenant)]);
    expect(await live(tenant)).toEqual(upTo(8));
  });

  it('follows in the transaction of an append: what is written with the event is gone with it', async () => {
    const tenant = await tenantWith(1);
    const one = projection(work, seen());
    await one.catchUp(tenant);
    const appended = (then: () => void) =>
      work.inTenant(tenant, async (sql) => {
        await append(sql, renaming(tenant, 'n2'));
        await one.follow(sql, tenant);
        then();
      });
    await expect(appended(() => { throw new Error('no'); })).rejects.toThrow('no');
    expect(await live(tenant)).toEqual(['n1']);
    await appended(() => undefined);
    expect(await live(tenant)).toEqual(['n1', 'n2']);
  });

  it('is rebuilt beside the live one, which is read and goes on meanwhile, and takes its place at once', async () => {
    const tenant = await tenantWith(5);
    const one = projection(work, seen(), { batch: 2 });
    await one.catchUp(tenant);
    const during: string[][] = [];
    const watched = seen({
      apply: async (sql, events, generation) => {
        if (events[0]?.position === 3) {
          await rename(tenant, 'n6');
          await one.catchUp(tenant);
          during.push(await live(tenant));
        }
        await seen().apply(sql, events, generation);
      },
    });
    await projection(work, watched, { batch: 2 }).rebuild(tenant);
    expect(during).toEqual([upTo(6)]);
    expect(await live(tenant)).toEqual(upTo(6));
    expect(await all(tenant)).toBe(6);
  });

  it('goes on where it was after a crash in the middle of a rebuild', async () => {
    const tenant = await tenantWith(9);
    await projection(work, seen()).catchUp(tenant);
    const applied: number[] = [];
    const dying = (at: number) =>
      seen({
        apply: async (sql, events, generation) => {
          for (const event of events) {
            if (event.position === at) throw new Error('killed');
            applied.push(event.position);
            await seen().apply(sql, [event], generation);
          }
        },
      });
    await expect(projection(work, dying(6), { batch: 2 }).rebuild(tenant)).rejects.toThrow('killed');
    expect(await live(tenant)).toEqual(upTo(9));
    await projection(work, dying(Infinity), { batch: 2 }).rebuild(tenant);
    // the batch of 5 and 6 was rolled back, the four before it were not
    expect(applied).toEqual([1, 2, 3, 4, 5, 5, 6, 7, 8, 9]);
    expect(await live(tenant)).toEqual(upTo(9));
    expect(await all(tenant)).toBe(9);
  });

  it('of another version is built anew, and what older code had begun is thrown away', async () => {
    const tenant = await tenantWith(4);
    await projection(work, seen()).catchUp(tenant);
    const failing = seen({ version: 2, apply: async (sql, events, generation) => ((events[0]?.position ?? 0) > 2 ? Promise.reject(new Error('killed')) : seen().apply(sql, events, generation)) });
    await expect(projection(work, failing, { batch: 1 }).catchUp(tenant)).rejects.toThrow('killed');
    const louder = seen({
      version: 3,
      apply: (sql, events, generation) =>
        seen().apply(sql, events.map((event) => ({ ...event, data: { name: (event.data as { name: string }).name.toUpperCase() } })), generation),
    });
    await projection(work, louder, { batch: 1 }).catchUp(tenant);
    // older code that still runs leaves it alone
    await projection(work, seen()).catchUp(tenant);
    expect(await live(tenant)).toEqual(['N1', 'N2', 'N3', 'N4']);
    expect(await all(tenant)).toBe(4);
  });
});

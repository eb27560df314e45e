import { eventLog, type EventLog } from '@weir/event-store';
import { fact, newId, type CommandContext, type TenantId } from '@weir/kernel';
import { collectBundle, createPool, mover, openClusters, provisioner, registerClusters, schemaOf, unitOfWork, type Databases, type PlacementKind, type ServiceName, type UnitOfWork } from '@weir/tenancy';
import { client, eventually, freshDatabase, startTestPlatform, startTestService, type TestDatabase } from '@weir/testing';
import { Client as Postgres } from 'pg';
import { definition } from '../index';
import { pageOfSearch, type EventFilter } from './event-pages';
import { EventSearch } from './event-search';
import { EventSearchIndex } from './event-search.projection';

const EU = { kind: 'database', cluster: 'eu' } as const;

let home: TestDatabase;
let eu: TestDatabase;
let admin: Postgres;
let migrator: Databases;
let log: EventLog;
let ledger: UnitOfWork;
const opened: Databases[] = [];

function open(url: (database: TestDatabase) => string, name: string, max: number): Databases {
  const options = { url: url(home), name: `spec/${name}`, max, onError: () => undefined };
  const databases = openClusters(createPool(options), { eu: url(eu) }, options, true);
  opened.push(databases);
  return databases;
}

const as = (service: ServiceName, max = 4): UnitOfWork => unitOfWork(open((database) => database.urlOf(service), service, max), service);

beforeAll(async () => {
  [home, eu] = await Promise.all([freshDatabase(), freshDatabase()]);
  admin = new Postgres({ connectionString: home.adminUrl });
  await admin.connect();
  migrator = open((database) => database.migratorUrl, 'migrator', 4);
  await registerClusters(migrator);
  log = eventLog(as('tenant-registry'));
  ledger = as('audit-ledger');
}, 60_000);
afterAll(async () => {
  await Promise.all([admin.end(), ...opened.flatMap(({ home: pool, clusters }) => [pool.end(), ...[...clusters.values()].map((one) => one.end())])]);
  await Promise.all([home.drop(), eu.drop()]);
});

const by = (commandId: string): CommandContext => ({ actor: { type: 'operator', id: 'op' }, commandId, at: Date.now(), action: 'spec', requestId: `req_${commandId}` });

async function tenantWith(events: number, kind: PlacementKind = 'schema'): Promise<TenantId> {
  const id = newId('ten');
  await provisioner(migrator, collectBundle()).provision(id, kind);
  await append(id, 'begin', events);
  return id;
}

const append = (tenant: TenantId, commandId: string, events = 1) =>
  log.append({ tenant, stream: 's', expected: 'any', events: Array.from({ length: events }, (_, n) => fact('tenant.renamed', { name: `${commandId} ${n}` })), context: by(commandId) });

const RENAMED: EventFilter = { type: 'tenant.renamed' };
const upTo = (n: number) => Array.from({ length: n }, (_, index) => index + 1);

function search(index = new EventSearchIndex(ledger), waitMs?: number) {
  const searching = new EventSearch(ledger, index, waitMs);
  return async (tenant: TenantId, filter = RENAMED): Promise<number[]> => {
    const found: number[] = [];
    for await (const page of searching.all(tenant, filter)) found.push(...page.map(({ position }) => position));
    return found;
  };
}

async function rowsOf(tenant: TenantId): Promise<number> {
  const { rows } = await ledger.inTenant(tenant, (sql) => sql.query<{ n: string }>('select count(*) as n from event_search'));
  return Number(rows[0]?.n);
}

describe('the search of a log', () => {
  it('has whatever was appended before it was asked, also while others append', async () => {
    const tenant = await tenantWith(3);
    const find = search();
    for (let n = 1; n <= 10; n++) {
      const { version } = await append(tenant, `one ${n}`);
      expect(await find(tenant)).toEqual(upTo(version));
    }
    await Promise.all(
      upTo(10).map(async (n) => {
        const appended = await append(tenant, `many ${n}`, 5);
        const found = await find(tenant);
        expect(found.slice(0, appended.version)).toEqual(upTo(appended.version));
      }),
    );
    expect(await find(tenant, { request: 'req_many 7' })).toHaveLength(5);
  });

  it('is by an index that stops where the page does, each event by its key', async () => {
    const tenant = await tenantWith(5);
    await search()(tenant);
    const plan = async (filter: EventFilter, after?: number) => {
      const bookmark = after === undefined ? undefined : { position: after, recordedAt: '2026-01-01T00:00:00Z' };
      const { text, values } = pageOfSearch(tenant, filter, 51, bookmark);
      await admin.query(`begin; set local search_path = ${schemaOf(tenant)}; set local enable_seqscan = off; set local enable_bitmapscan = off`);
      const { rows } = await admin.query(`explain ${text}`, values);
      await admin.query('rollback');
      return rows.map((row) => row['QUERY PLAN'] as string).join('\n');
    };
    for (const [filter, index] of [
      [{ type: 'x' }, 'event_search_type'],
      [{ actor: 'x' }, 'event_search_actor'],
      [{ request: 'x' }, 'event_search_request'],
      [{ from: '2026-01-01T00:00:00Z' }, 'event_search_recorded'],
    ] as const) {
      const shown = await plan(filter, 7);
      // one sort at the top, of the page
      expect([index, shown.match(/Sort {2}/g)?.length, shown.includes(index), shown.includes('events_pkey')]).toEqual([index, 1, true, true]);
    }
  });

  it('that cannot have all of it in time says how far it is, goes on by itself, and answers when it is there', async () => {
    const tenant = await tenantWith(40);
    const index = new EventSearchIndex(ledger, 4);
    await expect(search(index, 0)(tenant)).rejects.toMatchObject({ code: 'search-behind', category: 'unavailable', details: { seen: 0, last: 40 } });
    await eventually(async () => expect(await search(index, 0)(tenant)).toEqual(upTo(40)));
  });

  it('goes on where it was when its sessions are killed in the middle, and has each event once', async () => {
    const tenant = await tenantWith(60);
    let batches = 0;
    const dying: Pick<UnitOfWork, 'inTenant'> = {
      inTenant: (id, work) =>
        ledger.inTenant(id, async (sql) => {
          const result = await work(sql);
          if (++batches === 5) {
            const { rows } = await sql.query<{ pid: number }>('select pg_backend_pid() as pid');
            await admin.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
          }
          return result;
        }),
    };
    await expect(new EventSearchIndex({ ...ledger, ...dying }, 7).catchUp(tenant)).rejects.toMatchObject({ code: 'database-unavailable' });
    // one transaction looked for what there was, three have brought seven events each, and the killed one none
    expect(await rowsOf(tenant)).toBe(21);
    expect(await search()(tenant)).toEqual(upTo(60));
    expect(await rowsOf(tenant)).toBe(60);
  });

  it('answers while a tenant is being moved, which can be read and not written', async () => {
    const tenant = await tenantWith(5);
    await search()(tenant);
    await admin.query(`update weir.placements set state = 'moving' where tenant_id = $1`, [tenant]);
    expect(await search()(tenant)).toEqual(upTo(5));
    await admin.query(`update weir.placements set state = 'open' where tenant_id = $1`, [tenant]);
  });

  it('R10 is the same after each move from pooled to a schema, to another database and back: its rows are left and made again', async () => {
    const tenant = await tenantWith(12, 'pooled');
    const neighbour = await tenantWith(4, 'pooled');
    expect(await search()(tenant)).toEqual(upTo(12));
    expect(await search()(neighbour)).toEqual(upTo(4));
    for (const to of [{ kind: 'schema' } as const, EU, { kind: 'pooled' } as const]) {
      const moved = await mover(migrator, collectBundle()).move(tenant, to);
      expect(moved?.tables.map(({ table }) => table)).toEqual(expect.not.arrayContaining(['event_search', 'log_projections']));
      expect(await rowsOf(tenant)).toBe(0);
      expect(await search()(tenant)).toEqual(upTo(12));
    }
    expect(await rowsOf(neighbour)).toBe(4);
  });
});

it('the tables of a search are kept close behind a log by its events on the bus, without anyone searching', async () => {
  const own = await freshDatabase();
  const platform = await startTestPlatform(own);
  const host = await startTestService(definition, { database: own, environment: { WEIR_OPERATOR_TOKEN: platform.operatorToken } });
  const superuser = new Postgres({ connectionString: own.adminUrl });
  await superuser.connect();
  try {
    const tenant = await platform.newTenant();
    const events = Array.from({ length: 600 }, (_, n) => fact('tenant.renamed', { name: `${n}` }));
    await platform.logOf('tenant-registry').append({ tenant: tenant.id, stream: 's', expected: 'any', events, context: by('many') });
    await eventually(async () => expect((await superuser.query(`select count(*)::int as n from ${schemaOf(tenant.id)}.event_search`)).rows).toEqual([{ n: 602 }]));
    const { body } = await client(host.url, platform.operatorToken)('GET', `/v1/tenants/${tenant.id}/events?type=tenant.registered`);
    expect(body.data).toHaveLength(1);
  } finally {
    await superuser.end();
    await host.stop();
    await platform.stop();
    await own.drop();
  }
});

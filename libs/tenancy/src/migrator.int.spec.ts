import { newId, type TenantId } from '@weir/kernel';
import { freshDatabase, type TestDatabase } from '@weir/testing';
import type { Pool } from 'pg';
import { collectBundle, createPool, currentPlace, declareIndex, findDrift, migrator, neededBy, provisioner, schemaOf, unitOfWork, type Bundle, type Databases } from './index';

let database: TestDatabase;
let pool: Pool;
let databases: Databases;
const bundle = collectBundle();

beforeAll(async () => {
  database = await freshDatabase();
  pool = createPool({ url: database.migratorUrl, name: 'spec/migrator', max: 4 });
  databases = { home: pool, clusters: new Map() };
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

async function newTenant(kind: 'schema' | 'pooled' = 'schema', of: Bundle = bundle): Promise<TenantId> {
  const id = newId('ten');
  await provisioner(pool, of).provision(id, kind);
  return id;
}

let releases = 0;
/** The release with one more migration: what every run but the first adds stays, as in life. */
let newest: Bundle = bundle;
const nextRelease = (sql: string): Bundle => ({ ...newest, tenant: [...newest.tenant, { id: `tenancy/9${String(++releases).padStart(3, '0')}`, sql, sha256: String(releases) }] });
const applied = async (id: TenantId) => (await pool.query<{ applied: string[] }>('select applied from weir.homes where schema_name = $1', [schemaOf(id)])).rows[0]?.applied ?? [];

describe('a migration', () => {
  it('R9 goes to the canaries first, and leaves the rest alone when one of them fails', async () => {
    const [canary, other] = [await newTenant(), await newTenant()];
    const failing = nextRelease('select 1/0');
    await expect(migrator(pool, failing).run({ canary: [canary] })).rejects.toMatchObject({ code: 'migration-failed', details: { failed: [{ home: schemaOf(canary) }] } });
    expect(await applied(other)).not.toContain(failing.tenant.at(-1)?.id);
    const [status] = await migrator(pool, failing).status();
    expect(status).toMatchObject({ current: 0, run: { state: 'stopped', done: 0, failed: [{ home: schemaOf(canary), detail: 'division by zero' }] } });
  });

  it('R9 goes to one schema first also where none of the named canaries would try it out, such as one of the pooled schema', async () => {
    const shared = await newTenant('pooled');
    const failing = nextRelease('select 1/0');
    await expect(migrator(pool, failing).run({ canary: [shared] })).rejects.toMatchObject({ code: 'migration-failed', details: { failed: [{ detail: 'division by zero' }] } });
    const [status] = await migrator(pool, failing).status();
    expect(status).toMatchObject({ current: 0, run: { state: 'stopped', done: 0, failed: [{}] } });
    expect(status?.run?.homes).toBeGreaterThan(1);
  });

  it('is planned before it is run: what would be applied, to how many schemas', async () => {
    await newTenant();
    const next = nextRelease('create table planned (tenant_id text)');
    const [plan] = await migrator(pool, next).plan();
    expect(plan?.missing).toEqual([{ migration: next.tenant.at(-1)?.id, homes: plan?.homes }]);
    await migrator(pool, next).run();
    newest = next;
    expect(await migrator(pool, next).plan()).toEqual([{ cluster: 'home', homes: 0, missing: [] }]);
  });

  it('is one query when there is nothing to do, and leaves no run behind', async () => {
    const { rows: before } = await pool.query('select count(*)::int as n from weir.migration_runs');
    const queries: string[] = [];
    const counted = new Proxy(pool, { get: (target, name) => (name === 'query' ? (text: string, values: unknown[]) => (queries.push(text), target.query(text, values)) : name === 'connect' ? () => Promise.reject(new Error('a session')) : Reflect.get(target, name)) });
    expect(await migrator(counted, newest).run()).toEqual({ migrated: 0 });
    expect(queries.length).toBe(1);
    expect((await pool.query('select count(*)::int as n from weir.migration_runs')).rows).toEqual(before);
  });

  it('waits shortly for a table that somebody holds, comes again, and does the others meanwhile', async () => {
    const [held, free] = [await newTenant('schema', newest), await newTenant('schema', newest)];
    const next = nextRelease('alter table projects add column held text');
    const holder = await pool.connect();
    await holder.query('begin');
    await holder.query(`lock table "${schemaOf(held)}".projects in access share mode`);
    const running = migrator(createPoolAgain(), next).run({ canary: 0, lockTimeoutMs: 50, workers: 2 });
    await expect(eventuallyApplied(free, next)).resolves.toBe(true);
    expect(await applied(held)).not.toContain(next.tenant.at(-1)?.id);
    await holder.query('commit');
    holder.release();
    await running;
    newest = next;
    expect(await applied(held)).toContain(next.tenant.at(-1)?.id);
  });

  it('of which another release is half way through gives way to the newer one', async () => {
    await newTenant('schema', newest);
    const half = nextRelease('select 1');
    await pool.query(`insert into weir.migration_runs (id, release, state, homes, workers) values (gen_random_uuid(), 'another', 'rolling', 1, 2)`);
    await migrator(pool, half).run();
    newest = half;
    const { rows } = await pool.query(`select state, detail from weir.migration_runs where release = 'another'`);
    expect(rows).toEqual([{ state: 'stopped', detail: 'another release came' }]);
  });
});

describe('a service', () => {
  it('R9 is not let into a schema that is older than its code, and is into a newer one', async () => {
    const id = await newTenant('schema', newest);
    const next = nextRelease('alter table projects add column newer text');
    const own = createPool({ url: database.urlOf('tenant-registry'), name: 'spec', max: 1 });
    const today = unitOfWork(own, 'tenant-registry', { needs: neededBy('tenant-registry', newest) });
    const tomorrow = unitOfWork(own, 'tenant-registry', { needs: neededBy('tenant-registry', next) });
    await expect(tomorrow.inTenant(id, (sql) => sql.query('select newer from projects'))).rejects.toMatchObject({ code: 'tenant-migrating', category: 'unavailable' });
    await migrator(pool, next).run();
    newest = next;
    await expect(tomorrow.inTenant(id, (sql) => sql.query('select newer from projects'))).resolves.toMatchObject({ rowCount: 0 });
    await expect(today.inTenant(id, (sql) => sql.query('select id from projects'))).resolves.toMatchObject({ rowCount: 0 });
    await own.end();
  });
});

describe('drift', () => {
  it('R9 names what was altered, added and taken away by hand, and by how much', async () => {
    const id = await newTenant('schema', newest);
    await newTenant('pooled', newest);
    expect(await findDrift(pool, newest)).toEqual([]);
    const home = schemaOf(id);
    await pool.query(`alter table "${home}".projects add column by_hand int, alter column name drop not null; create index by_hand on "${home}".projects (name);
      alter table "${home}".projects no force row level security; grant select on "${home}".projects to weir_service; drop policy write_own on "${home}".members`);
    const found = await findDrift(pool, newest);
    expect(found.every((drift) => drift.home === home)).toBe(true);
    expect(found.map(({ kind, object }) => `${kind} ${object}`)).toEqual([
      'column projects.by_hand',
      'column projects.name',
      'constraint projects.projects_name_not_null',
      'grants projects',
      'index by_hand',
      'policy members.write_own',
      'row security projects',
    ]);
    expect(found[0]).toMatchObject({ expected: null, found: 'integer' });
    await pool.query(`drop schema "${home}" cascade; delete from weir.homes where schema_name = '${home}'; delete from weir.placements where schema_name = '${home}'`);
  });

  it('is not an index that was declared for a tenant', async () => {
    const id = await newTenant('schema', newest);
    const { name } = await declareIndex(databases, await currentPlace(pool, id), { table: 'projects', columns: ['name'], reason: 'they search by it' });
    expect(name).toBe('x_projects_name');
    expect(await findDrift(pool, newest)).toEqual([]);
    await expect(declareIndex(databases, await currentPlace(pool, id), { table: 'projects', columns: ['nonsense'], reason: 'x' })).rejects.toMatchObject({ code: 'no-such-column' });
    await expect(declareIndex(databases, await currentPlace(pool, await newTenant('pooled', newest)), { table: 'projects', columns: ['name'], reason: 'x' })).rejects.toMatchObject({ code: 'pooled-index' });
  });
});

describe('the release itself', () => {
  it('only adds, so that code from before it goes on: what takes something away says since when nobody uses it', () => {
    const takes = /\b(drop (table|column|constraint|function|type)|rename (to|column)|alter column \w+ (type|set not null)|set schema)\b/i;
    const wrong = bundle.tenant.filter(({ sql }) => takes.test(sql.replace(/--.*$/gm, '')) && !/^-- contract: unused since \S+/m.test(sql));
    expect(wrong.map(({ id }) => id)).toEqual([]);
  });
});

const pools: Pool[] = [];
function createPoolAgain(): Pool {
  const again = createPool({ url: database.migratorUrl, name: 'spec/migrator', max: 4 });
  pools.push(again);
  return again;
}
afterAll(() => Promise.all(pools.map((one) => one.end())));

async function eventuallyApplied(id: TenantId, release: Bundle): Promise<boolean> {
  for (const deadline = Date.now() + 5_000; Date.now() < deadline; await new Promise((later) => setTimeout(later, 20))) {
    if ((await applied(id)).includes(release.tenant.at(-1)?.id ?? '')) return true;
  }
  return false;
}

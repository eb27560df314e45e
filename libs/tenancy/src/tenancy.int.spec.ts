import { newId, type TenantId } from '@weir/kernel';
import { freshDatabase, type TestDatabase } from '@weir/testing';
import { Client, type Pool } from 'pg';
import { SERVICES, assertUnprivileged, collectBundle, createPool, loginOf, openClusters, prepareDatabase, provisioner, registerClusters, schemaOf, unitOfWork, withoutLogin, type UnitOfWork } from './index';
import { mortal } from './testing/mortal-pool';

let database: TestDatabase;
let one: Pool;
let migrator: Pool;
let work: UnitOfWork;
let admin: Client;

beforeAll(async () => {
  database = await freshDatabase();
  // a pool of one: whoever comes next gets the very connection that the last one left
  one = createPool({ url: database.urlOf('tenant-registry'), name: 'spec', max: 1 });
  migrator = createPool({ url: database.migratorUrl, name: 'spec/migrator', max: 4 });
  work = unitOfWork(one, 'tenant-registry');
  admin = new Client({ connectionString: database.adminUrl });
  await admin.connect();
});
afterAll(async () => {
  await Promise.all([one.end(), migrator.end(), admin.end()]);
  await database.drop();
});

const provision = (id: TenantId, kind: 'schema' | 'pooled' = 'schema') => provisioner(migrator, collectBundle()).provision(id, kind);

async function tenantWithToken(kind: 'schema' | 'pooled' = 'schema'): Promise<TenantId> {
  const id = newId('ten');
  await provision(id, kind);
  await work.inTenant(id, (sql) =>
    sql.query(`insert into projects (tenant_id, id, name, created_at) values ($1, $2, 'default', 0)`, [id, `prj_${id}`]),
  );
  return id;
}

describe('a unit of work', () => {
  it.each([
    ['commits', async (id: TenantId) => void (await work.inTenant(id, (sql) => sql.query('select * from projects')))],
    ['throws', async (id: TenantId) => void (await work.inTenant(id, () => Promise.reject(new Error('mine'))).catch(() => undefined))],
    ['meets an error of the database', async (id: TenantId) => void (await work.inTenant(id, (sql) => sql.query('select 1/0')).catch(() => undefined))],
    ['is cut off by a timeout', async (id: TenantId) => void (await work.inTenant(id, async (sql) => {
      await sql.query("set local statement_timeout = '50ms'");
      await sql.query('select pg_sleep(5)');
    }).catch(() => undefined))],
    ['loses its connection', async (id: TenantId) => void (await work.inTenant(id, async (sql) => {
      const { rows } = await sql.query<{ pid: number }>('select pg_backend_pid() as pid');
      await admin.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
      await sql.query('select 1');
    }).catch(() => undefined))],
  ])('R1 leaves nothing of tenant A on the connection when it %s: who then forgets to say who it is gets an error', async (_, run) => {
    const id = await tenantWithToken();
    await run(id);
    await expect(one.query('select * from projects')).rejects.toThrow(/does not exist/);
    const { rows } = await one.query(`select current_setting('weir.tenant_id', true) as tenant, current_user, current_setting('search_path') as path`);
    expect([null, '']).toContain(rows[0].tenant);
    expect(rows[0].current_user).toBe(loginOf('tenant-registry'));
    expect(rows[0].path).not.toContain('t_');
  });

  it('R6 shows each tenant its own rows alone, in schemas of their own and in the pooled one', async () => {
    for (const kind of ['schema', 'pooled'] as const) {
      const [a, b] = [await tenantWithToken(kind), await tenantWithToken(kind)];
      for (const id of [a, b]) {
        const { rows } = await work.inTenant(id, (sql) => sql.query('select tenant_id from projects'));
        expect(rows).toEqual([{ tenant_id: id }]);
      }
    }
  });

  it('R6 stops the role of one tenant at the grant of another', async () => {
    const [a, b] = [await tenantWithToken(), await tenantWithToken()];
    await expect(work.inTenant(a, (sql) => sql.query(`select * from ${schemaOf(b)}.projects`))).rejects.toThrow(/permission denied/);
  });

  it('R6 writes no row for another tenant in the pooled schema', async () => {
    const [a, b] = [await tenantWithToken('pooled'), await tenantWithToken('pooled')];
    const foreign = work.inTenant(a, (sql) => sql.query(`insert into projects (tenant_id, id, name, created_at) values ($1, 'prj_x', 'x', 0)`, [b]));
    await expect(foreign).rejects.toThrow(/row-level security/);
  });

  it("lets a service write its own tables alone: another service's may be read, not changed", async () => {
    const id = await tenantWithToken();
    const metering = createPool({ url: database.urlOf('metering'), name: 'spec/metering', max: 1 });
    const other = unitOfWork(metering, 'metering');
    await expect(other.inTenant(id, (sql) => sql.query('select id from projects'))).resolves.toMatchObject({ rowCount: 1 });
    await expect(other.inTenant(id, (sql) => sql.query('delete from projects'))).resolves.toMatchObject({ rowCount: 0 });
    await expect(other.inTenant(id, (sql) => sql.query(`insert into projects (tenant_id, id, name, created_at) values ($1, 'prj_y', 'y', 0)`, [id]))).rejects.toThrow(/row-level security/);
    await metering.end();
  });

  it('R6 tells nothing by what is unique: the same key in another tenant is no conflict, and a foreign row is refused alike whether it is there or not', async () => {
    const [a, b] = [await tenantWithToken('pooled'), await tenantWithToken('pooled')];
    const insert = (as: TenantId, into: TenantId, id: string) =>
      work.inTenant(as, (sql) => sql.query(`insert into projects (tenant_id, id, name, created_at) values ($1, $2, 'x', 0)`, [into, id])).then(() => 'done', (error: Error) => error.message);
    expect(await insert(a, a, `prj_${b}`)).toBe('done');
    expect(await insert(a, b, `prj_${b}`)).toBe(await insert(a, b, 'prj_never_was'));
    const { rows: keys } = await admin.query(
      `select i.indexrelid::regclass::text as name from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = 'weir_pooled' and i.indisunique and not exists (select 1 from pg_attribute where attrelid = i.indrelid and attnum = any (i.indkey) and attname = 'tenant_id')`,
    );
    expect(keys).toEqual([]);
    const { rows: references } = await admin.query(
      `select k.conname from pg_constraint k join pg_namespace n on n.oid = k.connamespace
       where n.nspname = 'weir_pooled' and k.contype = 'f' and not exists (select 1 from pg_attribute a where a.attrelid = k.conrelid and a.attnum = any (k.conkey) and a.attname = 'tenant_id')`,
    );
    expect(references).toEqual([]);
  });

  it("has no rights in another service's control schema, nor in the public one", async () => {
    await expect(one.query('select * from weir_key_vault.key_drains')).rejects.toThrow(/permission denied for schema/);
    await expect(one.query('create table public.mine (id int)')).rejects.toThrow(/permission denied/);
    await expect(one.query('create temporary table mine (id int)')).rejects.toThrow(/permission denied/);
    await expect(one.query(`update weir.placements set schema_name = 'weir_platform'`)).rejects.toThrow(/permission denied/);
  });

  it('is refused a tenant that is being moved for its writes, and let in for its reads', async () => {
    const id = await tenantWithToken();
    await admin.query(`update weir.placements set state = 'moving' where tenant_id = $1`, [id]);
    await expect(work.inTenant(id, (sql) => sql.query('select id from projects'))).resolves.toMatchObject({ rowCount: 1 });
    await expect(work.inTenant(id, (sql) => sql.query('delete from projects'))).rejects.toMatchObject({ code: 'tenant-moving', category: 'unavailable', retryAfter: 1 });
    await expect(work.directIn(id).query('select weir.enter($1), weir.mark_news()', [id])).rejects.toMatchObject({ code: 'tenant-moving' });
  });

  it('answers an unknown tenant as not found', async () => {
    await expect(work.inTenant(newId('ten'), (sql) => sql.query('select 1'))).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('provisioning', () => {
  it('R8 makes one schema and one row, however often and however many at once', async () => {
    const id = newId('ten');
    await Promise.all([provision(id), provision(id), provision(id)]);
    await provision(id);
    const { rows } = await admin.query('select count(*)::int as n from weir.placements where tenant_id = $1', [id]);
    expect(rows).toEqual([{ n: 1 }]);
    const heads = await work.inTenant(id, (sql) => sql.query('select position from log_heads'));
    expect(heads.rows).toEqual([{ position: '0' }]);
  });

  describe('that is killed', () => {
    // what dies and is done again is the sequence of statements, and a release is one of them, however many tables it makes
    const log = { ...collectBundle(), tenant: collectBundle().tenant.filter(({ id }) => id.startsWith('event-store/')) };
    let eu: TestDatabase;
    let there: Pool;
    let service: Pool;
    /** How many statements there are, the last of which commits. */
    const statements = new Map<string, number>();
    beforeAll(async () => {
      eu = await freshDatabase();
      there = createPool({ url: eu.migratorUrl, name: 'spec/migrator', max: 2 });
      service = createPool({ url: eu.urlOf('tenant-registry'), name: 'spec', max: 1 });
      await registerClusters({ home: migrator, clusters: new Map([['eu', there]]) });
    });
    afterAll(async () => {
      await Promise.all([there.end(), service.end()]);
      await eu.drop();
    });

    it.each(['schema', 'pooled', 'database'] as const)('R8 in front of any of its statements leaves a whole tenant or none, and a retry converges (%s)', async (kind) => {
      const placement = kind === 'database' ? ({ kind, cluster: 'eu' } as const) : kind;
      for (let diesAt = 1, survived = false; !survived; diesAt++) {
        const id = newId('ten');
        const [mortalHome, mortalEu] = [mortal(migrator, diesAt), mortal(there, diesAt)];
        const once = provisioner({ home: mortalHome.pool, clusters: new Map([['eu', mortalEu.pool]]) }, log);
        survived = await once.provision(id, placement).then(() => true, () => false);
        statements.set(kind, diesAt - 1);

        const home = kind === 'pooled' ? 'weir_pooled' : schemaOf(id);
        const at = kind === 'database' ? there : migrator;
        const count = async (text: string) => Number((await at.query(text, [kind === 'pooled' ? id : home])).rows[0].n);
        const placed = Number((await at.query('select count(*) as n from weir.placements where tenant_id = $1', [id])).rows[0].n);
        if (kind === 'pooled') expect(await rowsOf(at, id)).toBe(placed);
        else expect(await count('select count(*) as n from pg_namespace where nspname = $1')).toBe(placed);

        await provisioner({ home: migrator, clusters: new Map([['eu', there]]) }, log).provision(id, placement);
        const entered = unitOfWork({ home: one, clusters: new Map([['eu', service]]) }, 'tenant-registry').inTenant(id, (sql) => sql.query('select position from log_heads'));
        await expect(entered).resolves.toMatchObject({ rows: [{ position: '0' }] });
      }
      expect(statements.get(kind)).toBeGreaterThan(4);
    }, 60_000);

    it('R8 in front of the commit, with all tables of the release made, leaves none of them, and a retry makes what any other tenant has', async () => {
      const id = newId('ten');
      const dying = mortal(migrator, statements.get('schema') ?? NaN);
      await expect(provisioner(dying.pool, collectBundle()).provision(id, 'schema')).rejects.toThrow('killed');
      expect((await admin.query('select 1 from pg_namespace where nspname = $1', [schemaOf(id)])).rowCount).toBe(0);
      const [other] = [await tenantWithToken(), await provision(id)];
      const tables = async (of: TenantId) => (await admin.query('select tablename from pg_tables where schemaname = $1 order by 1', [schemaOf(of)])).rows;
      expect(await tables(id)).toEqual(await tables(other));
    });
  });

  it('applies a later release to every schema, once', async () => {
    const bundle = collectBundle();
    const next = { ...bundle, tenant: [...bundle.tenant, { id: 'spec/0001_later', sql: 'create table later (tenant_id text)', sha256: 'x' }] };
    await tenantWithToken();
    const { migrateAll } = provisioner(migrator, next);
    expect(await migrateAll()).toBeGreaterThan(1);
    expect(await migrateAll()).toBe(0);
  });

  it('R7 takes the name of the schema from the id alone', () => {
    expect(() => schemaOf('ten_"; drop schema public' as TenantId)).toThrow(TypeError);
    expect(() => schemaOf('pg_temp' as TenantId)).toThrow(TypeError);
    const id = newId('ten');
    expect(schemaOf(id)).toBe(`t_${id.slice(4)}`);
  });
});

/** As many rows as a tenant has in the pooled schema, which may not be there yet. */
async function rowsOf(pool: Pool, id: TenantId): Promise<number> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query("select set_config('weir.tenant_id', $1, true)", [id]);
    const there = await client.query("select to_regclass('weir_pooled.log_heads') is not null as there");
    if (!there.rows[0].there) return 0;
    return Number((await client.query('select count(*) as n from weir_pooled.log_heads where tenant_id = $1', [id])).rows[0].n);
  } finally {
    await client.query('rollback');
    client.release();
  }
}

describe('the database', () => {
  it('R4 is refused by a service whose login is a superuser, bypasses row security or owns anything', async () => {
    const asSuper = createPool({ url: database.adminUrl, name: 'spec', max: 1 });
    await expect(assertUnprivileged(asSuper)).rejects.toThrow(/is a superuser/);
    await asSuper.end();
    await expect(assertUnprivileged(migrator)).rejects.toThrow(/owns/);
    for (const service of SERVICES) {
      const pool = createPool({ url: database.urlOf(service), name: 'spec', max: 1 });
      await expect(assertUnprivileged(pool)).resolves.toBeUndefined();
      await pool.end();
    }
  });

  it('R4 is refused at a cluster too, with each session: no statement goes there under such a login', async () => {
    const home = createPool({ url: database.urlOf('metering'), name: 'spec', max: 1 });
    const own = { url: database.urlOf('metering'), name: 'spec', max: 1 };
    const { clusters } = openClusters(home, { eu: database.adminUrl, us: withoutLogin(database.adminUrl) }, own);
    await expect(clusters.get('eu')?.query('select 1')).rejects.toMatchObject({ code: 'privileged-login' });
    await expect(clusters.get('us')?.query('select 1')).resolves.toMatchObject({ rowCount: 1 });
    await Promise.all([home, ...clusters.values()].map((pool) => pool.end()));
  });

  it('R5 forces row security on every table of a tenant, and gives the public nothing', async () => {
    const id = await tenantWithToken();
    const tables = await admin.query(
      `select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname in ($1, 'weir_pooled', 'weir_platform') and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity) and c.relname <> 'later'`,
      [schemaOf(id)],
    );
    expect(tables.rows).toEqual([]);
    const open = await admin.query(
      `select table_schema, table_name from information_schema.role_table_grants where grantee = 'PUBLIC' and (table_schema like 'weir%' or table_schema like 't\\_%')`,
    );
    expect(open.rows).toEqual([]);
    const defaults = await admin.query('select 1 from pg_default_acl');
    expect(defaults.rowCount).toBe(0);
  });

  it('is prepared again without a change, and refused when it belongs to a newer release', async () => {
    expect(await prepareDatabase(database.adminUrl, collectBundle(), undefined)).toEqual({ control: [], schemas: 0 });
    await admin.query(`insert into weir.control_migrations (id, sha256) values ('future/0001', 'x')`);
    await expect(prepareDatabase(database.adminUrl, collectBundle(), undefined)).rejects.toMatchObject({ code: 'database-version' });
    await admin.query(`delete from weir.control_migrations where id = 'future/0001'`);
  });
});

import { newId, type TenantId } from '@weir/kernel';
import { LOGIN_PASSWORD, freshDatabase, type TestDatabase } from '@weir/testing';
import type { Pool } from 'pg';
import { collectBundle, createPool, loginOf, provisioner, unitOfWork, type UnitOfWork } from './index';
import { hasPgBouncer, startPgBouncer, type PgBouncer } from './testing/pgbouncer';

const there = hasPgBouncer();
if (!there) process.stderr.write('R2 SKIPPED: there is no pgbouncer on this machine: apt-get install pgbouncer\n');

(there ? describe : describe.skip)('through PgBouncer in transaction mode, one server session for all', () => {
  let database: TestDatabase;
  let bouncer: PgBouncer;
  const pools: Pool[] = [];
  let pool: Pool;
  let open: () => Pool;
  let migrator: Pool;
  let work: UnitOfWork;

  beforeAll(async () => {
    database = await freshDatabase();
    migrator = createPool({ url: database.migratorUrl, name: 'spec/migrator', max: 1 });
    const url = database.urlOf('tenant-registry');
    bouncer = await startPgBouncer(url, { [loginOf('tenant-registry')]: LOGIN_PASSWORD }, 1);
    open = () => {
      const opened = createPool({ url: bouncer.through(url), name: 'spec', max: 8 });
      pools.push(opened);
      return opened;
    };
    pool = open();
    work = unitOfWork(pool, 'tenant-registry');
  });
  afterAll(async () => {
    await Promise.all([...pools, migrator].map((one) => one.end()));
    await bouncer.stop();
    await database.drop();
  });

  async function tenant(kind: 'schema' | 'pooled'): Promise<TenantId> {
    const id = newId('ten');
    await provisioner(migrator, collectBundle()).provision(id, kind);
    await work.inTenant(id, (sql) => sql.query(`insert into projects (tenant_id, id, name, created_at) values ($1, 'prj_1', 'x', 0)`, [id]));
    return id;
  }

  it('R2 leaves nothing of tenant A on the server session, however its transaction ends: who forgets to say who it is gets an error', async () => {
    const id = await tenant('schema');
    const endings = [
      () => work.inTenant(id, (sql) => sql.query('select * from projects')),
      () => work.inTenant(id, () => Promise.reject(new Error('mine'))),
      () => work.inTenant(id, (sql) => sql.query('select 1/0')),
      () => work.inTenant(id, (sql) => sql.query("set local statement_timeout = '20ms'; select pg_sleep(5)")),
    ];
    for (const end of endings) {
      await end().catch(() => undefined);
      await expect(pool.query('select * from projects')).rejects.toThrow(/does not exist/);
      const { rows } = await pool.query(`select coalesce(current_setting('weir.tenant_id', true), '') as tenant, current_user, current_setting('search_path') as path`);
      expect(rows).toEqual([{ tenant: '', current_user: loginOf('tenant-registry'), path: '"$user", public' }]);
    }
  });

  it('R2 keeps interleaved transactions of many tenants apart on the one session that they share', async () => {
    const ids = [await tenant('schema'), await tenant('pooled'), await tenant('schema'), await tenant('pooled')];
    const seen = await Promise.all(
      Array.from({ length: 200 }, (_, i) => {
        const id = ids[i % ids.length] as TenantId;
        return work.inTenant(id, async (sql) => {
          if (i % 5 === 0) await sql.query('select 1/0').catch(() => undefined);
          const { rows } = await sql.query<{ tenant_id: string }>('select tenant_id from projects');
          return { id, found: rows.map((row) => row.tenant_id).join() };
        }).catch(() => undefined);
      }),
    );
    expect(seen.filter((one) => one !== undefined).length).toBe(160);
    expect(seen.filter((one) => one !== undefined && one.found !== one.id)).toEqual([]);
  });

  it('R2 runs one-statement appends too, which set their own role', async () => {
    const id = await tenant('schema');
    const { rows } = await work.directIn(id).query(`select weir.enter($1), (select count(*)::int from pg_roles where rolname = current_user) as n`, [id]);
    expect(rows[0]?.n).toBe(1);
    await expect(pool.query('select current_user')).resolves.toMatchObject({ rows: [{ current_user: loginOf('tenant-registry') }] });
  });

  it('R2 does once what goes under a name, whether or not the pooler knows names and whoever gave a session this one before', async () => {
    const id = await tenant('schema');
    const works = [work, unitOfWork(open(), 'tenant-registry')];
    const marks: number[] = [];
    for (let turn = 0; turn < 3; turn++) {
      const drawn = works.flatMap((one) =>
        Array.from({ length: 12 }, () => one.directIn(id).prepared<{ mark: string }>("select nextval('weir.news_mark') as mark, weir.enter($1)", [id])),
      );
      for (const { rows } of await Promise.all(drawn)) marks.push(Number(rows[0]?.mark));
    }
    const from = Math.min(...marks);
    expect(marks.sort((a, b) => a - b)).toEqual(marks.map((_, index) => from + index));
    await expect(work.directIn(id).prepared('select weir.enter($1), 1 / $2::int', [id, 0])).rejects.toMatchObject({ code: '22012' });
  });
});

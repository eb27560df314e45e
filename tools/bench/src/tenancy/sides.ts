import { readFileSync } from 'node:fs';
import { newId, type TenantId } from '@weir/kernel';
import { migrator, unitOfWork, type Bundle } from '@weir/tenancy';
import type { Pool } from 'pg';
import type { Sample, Side } from '../bench';
import { median } from '../measure';
import type { Population } from './population';

async function repeated(seconds: number, work: (i: number) => Promise<unknown>): Promise<Sample> {
  const took: number[] = [];
  const begun = performance.now();
  for (let i = 0; performance.now() - begun < seconds * 1_000; i++) {
    const at = performance.now();
    await work(i);
    took.push(performance.now() - at);
  }
  return { operations: took.length, seconds: (performance.now() - begun) / 1_000, figures: { 'p50 ms': median(took) } };
}

const any = <T>(of: readonly T[]): T => of[Math.floor(Math.random() * of.length)] as T;

/** One tenant after the other; those that a turn made are gone before the next. */
export function creating(name: string, population: Population, against?: string): Side {
  let made: TenantId[] = [];
  return {
    name,
    ...(against === undefined ? {} : { against }),
    run: (seconds) =>
      repeated(seconds, async () => {
        const tenant = newId('ten');
        await population.provision(tenant);
        made.push(tenant);
      }),
    check: async () => {
      await population.purge(made);
      made = [];
    },
  };
}

/** The round trips of a unit of work without what makes it one: the same statements in number, on the same driver and pool. */
export function plainTransaction(name: string, population: Population): Side {
  const pool = population.servicePool(1);
  return {
    name,
    run: (seconds) =>
      repeated(seconds, async () => {
        const client = await pool.connect();
        for (const statement of ['begin', 'select 1', 'select 1', 'commit']) await client.query(statement);
        client.release();
      }),
  };
}

export function workUnit(name: string, population: Population, tenants: readonly TenantId[], against: string): Side {
  const work = unitOfWork(population.servicePool(1), 'tenant-registry', { needs: ['event-store/0001_log', 'tenant-registry/0001_registry'] });
  return { name, against, run: (seconds) => repeated(seconds, () => work.inTenant(any(tenants), (sql) => sql.query('select 1'))) };
}

/** SET ROLE as it is when nothing has changed, and of a session's first after a role was made somewhere: its memberships are read again. */
export function setRole(name: string, population: Population, roles: readonly string[]): Side {
  const pool = population.servicePool(1);
  let made = 0;
  return {
    name,
    async run(seconds) {
      const steady = await repeated(seconds * 0.7, () => pool.query(`begin; set local role ${any(roles)}; commit`));
      const after: number[] = [];
      for (let i = 0; i < 7; i++) {
        const role = `bench_new_${roles.length}_${made++}`;
        await population.admin.query(`create role ${role} nologin; grant ${role} to weir_service with inherit false, set true`);
        const at = performance.now();
        await pool.query(`begin; set local role ${any(roles)}; commit`);
        after.push(performance.now() - at);
      }
      return { ...steady, figures: { ...steady.figures, 'ms after a new role': median(after) } };
    },
  };
}

export function migratingNothing(name: string, population: Population): Side {
  const { run } = migrator(population.migrator, population.bundle);
  return { name, run: (seconds) => repeated(seconds, () => run()) };
}

/** Each turn is one release with one column more, over all schemas; what it takes, it takes. */
export function migrating(name: string, population: Population, releases: { newest: Bundle; count: number }, workers: number): Side {
  return {
    name,
    async run() {
      const id = `tenancy/8${String(++releases.count).padStart(3, '0')}`;
      releases.newest = { ...releases.newest, tenant: [...releases.newest.tenant, { id, sql: `alter table projects add column bench_${releases.count} text not null default ''`, sha256: id }] };
      const begun = performance.now();
      const { migrated } = await migrator(population.migrator, releases.newest).run({ workers });
      const seconds = (performance.now() - begun) / 1_000;
      return { operations: migrated, seconds, figures: { 'seconds for all': seconds } };
    },
  };
}

/** One session that has been in every one of these tenants: what it keeps of their tables, each schema's own or the pooled ones. */
export function visiting(name: string, population: Population, tenants: readonly TenantId[]): Side {
  return {
    name,
    async run() {
      const pool = population.servicePool(1);
      const work = unitOfWork(pool, 'tenant-registry');
      const before = await privateMiB(pool);
      const begun = performance.now();
      for (const tenant of tenants) await work.inTenant(tenant, (sql) => sql.query('select (select count(*) from projects), (select count(*) from api_tokens), (select position from log_heads)'));
      const seconds = (performance.now() - begun) / 1_000;
      const MiB = (await privateMiB(pool)) - before;
      await pool.end();
      return { operations: tenants.length, seconds, figures: { 'MiB a backend': MiB, 'KiB a tenant': (MiB * 1_024) / tenants.length } };
    },
  };
}

async function privateMiB(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid');
  const kiB = /Private_Dirty:\s+(\d+)/.exec(readFileSync(`/proc/${rows[0]?.pid}/smaps_rollup`, 'utf8'))?.[1];
  return Number(kiB) / 1_024;
}

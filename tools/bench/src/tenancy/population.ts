import { join } from 'node:path';
import { startPostgres } from '@weir/stack';
import { newId, type TenantId } from '@weir/kernel';
import { SERVICE_GROUP, collectBundle, createPool, prepareDatabase, provisioner, purger, type Bundle } from '@weir/tenancy';
import type { Pool } from 'pg';
import type { Ground } from '../bench';

/** A PostgreSQL with so many tenants in schemas of their own. */
export interface Population {
  readonly bundle: Bundle;
  readonly tenants: readonly TenantId[];
  readonly admin: Pool;
  readonly migrator: Pool;
  servicePool(max: number): Pool;
  provision(tenant: TenantId): Promise<unknown>;
  /** So many more, in the pooled schema. */
  addPooled(count: number): Promise<TenantId[]>;
  /** Takes the newcomers away again, so that every turn finds as many as the one before. */
  purge(tenants: readonly TenantId[]): Promise<void>;
  close(): Promise<void>;
}

const AT_ONCE = 4;
const BETWEEN_REPORTS = 500;

export async function openPopulation(ground: Ground, name: string, size: number): Promise<Population> {
  const server = await startPostgres({
    dataDir: join(ground.directory, name),
    settings: { max_connections: 60, max_locks_per_transaction: 1024, shared_buffers: '512MB', max_wal_size: '8GB', checkpoint_timeout: '30min', fsync: 'off' },
  });
  ground.server(name, server.pid);
  const bundle = collectBundle();
  await prepareDatabase(server.adminUrl, bundle, 'bench');
  const urlOf = (login: string) => Object.assign(new URL(server.adminUrl), { username: login, password: 'bench' }).href;
  const pools: Pool[] = [];
  const open = (url: string, max: number): Pool => {
    const pool = createPool({ url, name: 'bench', max });
    pools.push(pool);
    return pool;
  };
  const migrator = open(urlOf('weir_migrator'), AT_ONCE);
  const { provision } = provisioner(migrator, bundle);
  const { purge } = purger(migrator);

  const tenants: TenantId[] = [];
  let made = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (tenants.length < size) {
        const tenant = newId('ten');
        tenants.push(tenant);
        await provision(tenant, 'schema');
        if (++made % BETWEEN_REPORTS === 0) ground.progress(`${name}: ${made} of ${size} schemas`);
      }
    }),
  );
  const admin = open(server.adminUrl, 2);
  await admin.query('vacuum analyze');
  return {
    bundle,
    tenants,
    admin,
    migrator,
    servicePool: (max) => open(urlOf('weir_tenant_registry'), max),
    provision: (tenant) => provision(tenant, 'schema'),
    async addPooled(count) {
      const pooled = Array.from({ length: count }, () => newId('ten'));
      for (const tenant of pooled) await provision(tenant, 'pooled');
      return pooled;
    },
    purge: async (newcomers) => {
      for (const tenant of newcomers) await purge(tenant);
    },
    close: async () => {
      // a side may have ended one of its own
      await Promise.all(pools.filter(({ ending }) => !ending).map((pool) => pool.end()));
      await server.stop();
    },
  };
}

/** Roles as tenants have them, without tenants. */
export async function addRoles(admin: Pool, count: number): Promise<string[]> {
  for (let from = 0; from < count; from += 1_000) {
    await admin.query(`do $$ begin
      for i in ${from}..${Math.min(count, from + 1_000) - 1} loop
        execute format('create role bench_%s nologin noinherit', i);
        execute format('grant bench_%s to ${SERVICE_GROUP} with inherit false, set true', i);
      end loop;
    end $$`);
  }
  return Array.from({ length: count }, (_, i) => `bench_${i}`);
}

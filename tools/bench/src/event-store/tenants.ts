import { newId, type TenantId } from '@weir/kernel';
import { collectBundle, createPool, prepareDatabase, provisioner, unitOfWork, type UnitOfWork } from '@weir/tenancy';
import { startPostgres } from '@weir/stack';
import type { Pool } from 'pg';
import { join } from 'node:path';
import type { Ground } from '../bench';

export interface Database {
  readonly adminUrl: string;
  /** A superuser's too, for pgbench. */
  readonly clientUrl: string;
  readonly admin: Pool;
  /** A service's, through its own login. */
  readonly work: UnitOfWork;
  newTenants(count: number, kind: 'schema' | 'pooled'): Promise<TenantId[]>;
  close(): Promise<void>;
}

/** As many connections as a service has unless it is told otherwise. */
const POOL_SIZE = 10;

/** A durable PostgreSQL of its own, prepared as a release prepares it. */
export async function openDatabase(ground: Ground): Promise<Database> {
  const server = await startPostgres({
    dataDir: join(ground.directory, 'postgres'),
    settings: { max_connections: 200, max_locks_per_transaction: 1024, shared_buffers: '512MB', max_wal_size: '8GB', checkpoint_timeout: '30min' },
  });
  ground.server('postgres', server.pid);
  const bundle = collectBundle();
  await prepareDatabase(server.adminUrl, bundle, 'bench');
  const urlOf = (login: string) => Object.assign(new URL(server.adminUrl), { username: login, password: 'bench' }).href;
  const admin = createPool({ url: server.adminUrl, name: 'bench/admin', max: 2 });
  // a login that is quick to let in: 64 clients of pgbench come anew in each turn, and a password's 4,096 rounds are not what is measured
  await admin.query("set scram_iterations = 1; create role pgbench superuser login password 'bench'");
  const migrator = createPool({ url: urlOf('weir_migrator'), name: 'bench/migrator', max: 2 });
  const pool = createPool({ url: urlOf('weir_tenant_registry'), name: 'bench', max: POOL_SIZE });
  const { provision } = provisioner(migrator, bundle);
  return {
    adminUrl: server.adminUrl,
    clientUrl: urlOf('pgbench'),
    admin,
    work: unitOfWork(pool, 'tenant-registry'),
    async newTenants(count, kind) {
      const tenants = Array.from({ length: count }, () => newId('ten'));
      for (const tenant of tenants) await provision(tenant, kind);
      return tenants;
    },
    async close() {
      await Promise.all([admin, migrator, pool].map((one) => one.end()));
      await server.stop();
    },
  };
}

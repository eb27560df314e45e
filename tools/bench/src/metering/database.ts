import { join } from 'node:path';
import { startPostgres } from '@weir/stack';
import { newId, type TenantId } from '@weir/kernel';
import { collectBundle, createPool, loginOf, prepareDatabase, provisioner, unitOfWork, type UnitOfWork } from '@weir/tenancy';
import type { Pool } from 'pg';
import type { Ground } from '../bench';

export interface Database {
  /** A superuser's, for pgbench, COPY and TypeORM, who need no roles. */
  readonly clientUrl: string;
  readonly admin: Pool;
  /** Metering's, through its own login. */
  readonly work: UnitOfWork;
  newTenants(count: number): Promise<TenantId[]>;
  close(): Promise<void>;
}

const POOL_SIZE = 10;
const PROVISIONED_AT_ONCE = 4;
const BETWEEN_REPORTS = 500;

/** A durable PostgreSQL of its own, prepared as a release prepares it. */
export async function openDatabase(ground: Ground): Promise<Database> {
  const server = await startPostgres({
    dataDir: join(ground.directory, 'postgres'),
    settings: { max_connections: 60, max_locks_per_transaction: 1024, shared_buffers: '1GB', max_wal_size: '8GB', checkpoint_timeout: '30min' },
  });
  ground.server('postgres', server.pid);
  const bundle = collectBundle();
  await prepareDatabase(server.adminUrl, bundle, 'bench');
  const urlOf = (login: string) => Object.assign(new URL(server.adminUrl), { username: login, password: 'bench' }).href;
  const admin = createPool({ url: server.adminUrl, name: 'bench/admin', max: 4 });
  await admin.query("set scram_iterations = 1; create role pgbench superuser login password 'bench'");
  const migrator = createPool({ url: urlOf('weir_migrator'), name: 'bench/migrator', max: PROVISIONED_AT_ONCE });
  const pool = createPool({ url: urlOf(loginOf('metering')), name: 'bench', max: POOL_SIZE });
  const { provision } = provisioner(migrator, bundle);
  return {
    clientUrl: urlOf('pgbench'),
    admin,
    work: unitOfWork(pool, 'metering'),
    async newTenants(count) {
      const tenants = Array.from({ length: count }, () => newId('ten'));
      const waiting = [...tenants];
      await Promise.all(
        Array.from({ length: PROVISIONED_AT_ONCE }, async () => {
          for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
            await provision(next, 'schema');
            if (waiting.length > 0 && waiting.length % BETWEEN_REPORTS === 0) ground.progress(`${count - waiting.length} of ${count} schemas`);
          }
        }),
      );
      return tenants;
    },
    async close() {
      await Promise.all([admin, migrator, pool].map((one) => one.end()));
      await server.stop();
    },
  };
}

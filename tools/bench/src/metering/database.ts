import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startPostgres } from '@weir/stack';
import { newId, sleep, type TenantId } from '@weir/kernel';
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
  /** Before a turn: what was done before is on disk, and no checkpoint comes amid what is measured. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

const POOL_SIZE = 10;
const PROVISIONED_AT_ONCE = 4;
const BETWEEN_REPORTS = 500;
const RELOADED_WITHIN_MS = 200;
const flush = promisify(execFile);

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
  // Thousands of schemas are a million files: flushed one by one, as a durable checkpoint does, they take a quarter of an hour. What is not
  // measured is flushed by the file system, all at once; each commit that is measured is durable.
  const flushing = async (on: boolean) => {
    await admin.query(`alter system set fsync = ${on ? 'on' : 'off'}`);
    await admin.query('select pg_reload_conf()');
    await sleep(RELOADED_WITHIN_MS);
    const { rows } = await admin.query<{ setting: string }>(`select setting from pg_settings where name = 'fsync'`);
    if (rows[0]?.setting !== (on ? 'on' : 'off')) throw new Error('the server did not take its new setting');
  };
  const settle = async () => {
    await flushing(false);
    await admin.query('checkpoint');
    await flush('sync', ['-f', ground.directory]);
    await flushing(true);
  };
  return {
    clientUrl: urlOf('pgbench'),
    admin,
    work: unitOfWork(pool, 'metering'),
    async newTenants(count) {
      const tenants = Array.from({ length: count }, () => newId('ten'));
      const waiting = [...tenants];
      await flushing(false);
      await Promise.all(
        Array.from({ length: PROVISIONED_AT_ONCE }, async () => {
          for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
            await provision(next, 'schema');
            if (waiting.length > 0 && waiting.length % BETWEEN_REPORTS === 0) ground.progress(`${count - waiting.length} of ${count} schemas`);
          }
        }),
      );
      await settle();
      return tenants;
    },
    settle,
    async close() {
      await Promise.all([admin, migrator, pool].map((one) => one.end()));
      await server.stop();
    },
  };
}

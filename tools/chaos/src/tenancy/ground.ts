import { join } from 'node:path';
import { startPostgres } from '@weir/stack';
import { MIGRATOR, collectBundle, createPool, ensureDatabase, loginOf, openClusters, prepareDatabase, registerClusters, type Databases, type ServiceName } from '@weir/tenancy';
import { Pool } from 'pg';

/** A home database and a cluster `eu`, prepared as a release prepares them. */
export interface Ground {
  readonly bundle: ReturnType<typeof collectBundle>;
  /** Superusers: for looking behind what a service may see. */
  readonly admin: Databases;
  /** A migrator's sessions, as one process has them. */
  migrator(): Databases;
  service(name: ServiceName, max?: number): Databases;
  /** What a kill of a process does to its sessions: all of the migrator's end, whatever they are at. */
  killMigrators(): Promise<void>;
  close(): Promise<void>;
}

export interface Addresses {
  readonly home: string;
  readonly eu: string;
  readonly password: string;
}

export const EU = { kind: 'database', cluster: 'eu' } as const;

const PREFIX = 'chaos/migrator';

/** @param addresses superusers' URLs of two prepared databases */
export async function openGround({ home, eu, password }: Addresses): Promise<Ground> {
  const pools: Pool[] = [];
  const as = (url: string, username: string) => Object.assign(new URL(url), { username, password }).href;
  const open = (name: string, user: string | undefined, max: number): Databases => {
    const url = user === undefined ? home : as(home, user);
    const own = { url, name, max, onError: () => undefined };
    const databases = openClusters(createPool(own), { eu: user === undefined ? eu : as(eu, user) }, own, true);
    pools.push(databases.home, ...databases.clusters.values());
    return databases;
  };
  const admin = open('chaos/admin', undefined, 4);
  await registerClusters(admin);
  return {
    bundle: collectBundle(),
    admin,
    migrator: () => open(PREFIX, MIGRATOR, 6),
    service: (name, max = 8) => open(`chaos/${name}`, loginOf(name), max),
    async killMigrators() {
      await admin.home.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and datname in ($2, $3)`, [PREFIX, ...[home, eu].map((url) => new URL(url).pathname.slice(1))]);
    },
    close: async () => void (await Promise.all(pools.map((pool) => pool.end()))),
  };
}

/** With a PostgreSQL of its own below a directory. */
export async function startGround(directory: string): Promise<Ground> {
  const server = await startPostgres({ dataDir: join(directory, 'postgres'), settings: { max_connections: 200, max_locks_per_transaction: 1024, shared_buffers: '512MB', max_wal_size: '4GB', fsync: 'off' } });
  const password = 'chaos';
  const [home, eu] = [await ensureDatabase(server.adminUrl, 'weir'), await ensureDatabase(server.adminUrl, 'weir_eu')];
  for (const url of [home, eu]) await prepareDatabase(url, collectBundle(), password);
  const ground = await openGround({ home, eu, password });
  return {
    ...ground,
    close: async () => {
      await ground.close();
      await server.stop();
    },
  };
}

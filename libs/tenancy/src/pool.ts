import { Pool, type PoolConfig } from 'pg';
import { AppError } from '@weir/kernel';
import type { Databases } from './clusters';
import type { Sql } from './sql';

export interface PoolOptions {
  readonly url: string;
  readonly name: string;
  readonly max?: number;
  /** ms that a statement's answer may take before its session is given up; longer than the server's own statement_timeout. */
  readonly answerWithinMs?: number | undefined;
  /** Idle clients go back to the server on errors of their own; told here, never thrown. */
  readonly onError?: (error: Error) => void;
}

/** No startup options, and names for statements only where they are known to work: the pool works through PgBouncer in transaction mode. */
export function createPool({ url, name, max = 10, answerWithinMs, onError }: PoolOptions, more: PoolConfig = {}): Pool {
  const pool = new Pool({ connectionString: url, max, application_name: name, connectionTimeoutMillis: 5_000, idleTimeoutMillis: 30_000, keepAlive: true, ...(answerWithinMs === undefined ? {} : { query_timeout: answerWithinMs }), ...more });
  // a server that goes down while the pool says goodbye is no news
  pool.on('error', (error) => (pool.ending ? undefined : onError?.(error)));
  return pool;
}

/**
 * A pool for each cluster beside the home database's. They connect when a tenant there is asked for, so that one which is down stops
 * nobody else from starting; each connection is refused if its login has more rights than a service's.
 *
 * @param own the URL of the service's login at home, whose name and password stand in where a cluster's URL has none
 */
export function openClusters(home: Pool, clusters: Readonly<Record<string, string>>, own: PoolOptions, privileged = false): Databases {
  // pg-pool has it and its types do not
  const verify = (client: Sql, done: (error?: Error) => void) => void assertUnprivileged(client).then(() => done(), done);
  const pools = Object.entries(clusters).map(([name, url]) => [name, createPool({ ...own, url: withLogin(url, own.url) }, privileged ? {} : ({ verify } as PoolConfig))] as const);
  return { home, clusters: new Map(pools) };
}

/** `url` with the login of another URL where it has none itself. */
export function withLogin(url: string, of: string): string {
  const [to, from] = [new URL(url), new URL(of)];
  if (to.username === '') Object.assign(to, { username: from.username, password: from.password });
  return to.href;
}

export function withoutLogin(url: string): string {
  return Object.assign(new URL(url), { username: '', password: '' }).href;
}

/** Refuses a login that row security or grants do not bind: a superuser, one with BYPASSRLS, an owner of anything, and whoever may become one of those. */
export async function assertUnprivileged(pool: Sql): Promise<void> {
  const { rows } = await pool.query<{ login: string; role: string; problem: string }>(`
    with privileged as materialized (
      select oid, rolname, case when rolsuper then 'is a superuser' when rolbypassrls then 'has BYPASSRLS' else 'owns tables' end as problem, rolsuper, rolbypassrls
      from pg_roles where rolsuper or rolbypassrls
        or oid in (select relowner from pg_class union select nspowner from pg_namespace union select datdba from pg_database))
    select r.rolname as login, p.rolname as role, p.problem from pg_roles r join privileged p on pg_has_role(r.oid, p.oid, 'MEMBER')
    where r.rolname = session_user order by p.oid <> r.oid, p.rolsuper desc, p.rolbypassrls desc limit 1`);
  const found = rows[0];
  if (found === undefined) return;
  const problem = found.role === found.login ? found.problem : `may become ${found.role}, which ${found.problem}`;
  throw new AppError(
    'privileged-login',
    'internal',
    `The database login ${found.login} ${problem}: row security would not bind it. Give the service its own login (see docs/operations).`,
  );
}

import { Pool } from 'pg';
import { AppError } from '@weir/kernel';

export interface PoolOptions {
  readonly url: string;
  readonly name: string;
  readonly max?: number;
  /** Idle clients go back to the server on errors of their own; told here, never thrown. */
  readonly onError?: (error: Error) => void;
}

/** No named statements and no startup options: the pool works through PgBouncer in transaction mode. */
export function createPool({ url, name, max = 10, onError }: PoolOptions): Pool {
  const pool = new Pool({ connectionString: url, max, application_name: name, connectionTimeoutMillis: 5_000, idleTimeoutMillis: 30_000 });
  // a server that goes down while the pool says goodbye is no news
  pool.on('error', (error) => (pool.ending ? undefined : onError?.(error)));
  return pool;
}

/** Refuses a login that row security or grants do not bind: a superuser, one with BYPASSRLS, an owner of anything. */
export async function assertUnprivileged(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ login: string; super: boolean; bypass: boolean; owns: boolean }>(`
    select r.rolname as login, r.rolsuper as super, r.rolbypassrls as bypass,
           exists (select 1 from pg_class c where c.relowner = r.oid)
             or exists (select 1 from pg_namespace n where n.nspowner = r.oid)
             or exists (select 1 from pg_database d where d.datdba = r.oid) as owns
    from pg_roles r where r.rolname = session_user`);
  const role = rows[0];
  const problem = role?.super ? 'is a superuser' : role?.bypass ? 'has BYPASSRLS' : role?.owns ? 'owns tables' : undefined;
  if (problem !== undefined) {
    throw new AppError(
      'privileged-login',
      'internal',
      `The database login ${role?.login} ${problem}: row security would not bind it. Give the service its own login (see docs/operations).`,
    );
  }
}

import type { Pool, PoolClient } from 'pg';
import { notFound, unavailable, isConnectionTrouble, type TenantId } from '@weir/kernel';
import { loginOf, type ServiceName } from './names';
import { SQLSTATE, sqlState, type Sql } from './sql';

/** One transaction that is a tenant's, or the service's own; `S` is what a library adds to the statement runner. */
export interface UnitOfWork<S extends Sql = Sql> {
  /** Inside: the tenant's role, search_path and tenant, and nothing else of anyone's. */
  inTenant<T>(tenant: TenantId, work: (sql: S) => Promise<T>): Promise<T>;
  /** Inside: the service's login and its control schema. */
  inControl<T>(work: (sql: S) => Promise<T>): Promise<T>;
  /** Within `inTenant`: the rest of the transaction is the service's own again, so that both commit or neither. */
  leaveTenant(sql: S): Promise<void>;
  /** One statement outside of any transaction of ours; it must set its own role, as weir.append does. */
  readonly direct: Sql;
}

/**
 * Forgetting to say whose transaction it is gives an error and never another tenant's rows: the login owns nothing and inherits
 * nothing of a tenant's role, and all settings are local to the transaction.
 */
export function unitOfWork(pool: Pool, service: ServiceName): UnitOfWork {
  const control = loginOf(service);

  async function transaction<T>(begin: (client: PoolClient) => Promise<unknown>, work: (sql: Sql) => Promise<T>): Promise<T> {
    const client = await connect(pool);
    let broken: Error | undefined;
    // a session that the server ends between two statements tells the client alone; unheard, that would end the process
    const onLost = (error: Error) => (broken = error);
    client.on('error', onLost);
    try {
      await client.query('begin');
      await begin(client);
      const result = await work(client as unknown as Sql);
      await client.query('commit');
      return result;
    } catch (error) {
      await client.query('rollback').catch((rollback: Error) => (broken = rollback));
      throw translated(error);
    } finally {
      client.off('error', onLost);
      client.release(broken);
    }
  }

  return {
    inTenant: (tenant, work) => transaction((client) => client.query('select weir.enter($1)', [tenant]), work),
    inControl: (work) => transaction((client) => client.query("select set_config('search_path', $1, true)", [control]), work),
    leaveTenant: async (sql) => void (await sql.query('select weir.leave($1)', [control])),
    direct: {
      query: async (text, values) => {
        try {
          return await pool.query(text, values as unknown[]);
        } catch (error) {
          throw translated(error);
        }
      },
    },
  };
}

async function connect(pool: Pool): Promise<PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    throw translated(error);
  }
}

export function translated(error: unknown): unknown {
  if (sqlState(error) === SQLSTATE.unknownTenant) return notFound('tenant');
  if (isConnectionTrouble(error) || /timeout exceeded when trying to connect|Connection terminated/.test(String(error))) {
    return unavailable('database-unavailable', 'The database cannot be reached now. Try again in a moment.', error);
  }
  return error;
}

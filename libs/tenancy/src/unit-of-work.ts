import type { Pool } from 'pg';
import { AppError, notFound, unavailable, isConnectionTrouble, type TenantId } from '@weir/kernel';
import { Whereabouts, databasesOf, type Databases } from './clusters';
import { loginOf, type ServiceName } from './names';
import { queryPrepared } from './prepared';
import { SQLSTATE, sqlState, type DirectSql, type Sql } from './sql';
import { isUnanswered, transaction } from './transaction';

/** One transaction that is a tenant's, or the service's own; `S` is what a library adds to the statement runner. */
export interface UnitOfWork<S extends Sql = Sql> {
  /** Inside: the tenant's role, search_path and tenant, and nothing else of anyone's; in the database where the tenant lives. */
  inTenant<T>(tenant: TenantId, work: (sql: S) => Promise<T>): Promise<T>;
  /** Inside: the service's login and its control schema, in the home database. */
  inControl<T>(work: (sql: S) => Promise<T>): Promise<T>;
  /**
   * As `inControl`, in each database, home first: for what is kept beside the tenants' data and asked for over all of them.
   *
   * @param leftOut is told of a database that fails, and the others count; without it one failure is that of all
   */
  inEveryControl<T>(work: (sql: S) => Promise<T>, leftOut?: (error: Error) => void): Promise<T[]>;
  /** Within `inTenant`: the rest of the transaction is the service's own again, beside the tenant's data, so that both commit or neither. */
  leaveTenant(sql: S): Promise<void>;
  /** One statement of a tenant outside of any transaction of ours; it must set its own role, as weir.append does. */
  directIn(tenant: TenantId): DirectSql;
  /** One statement in the home database. */
  readonly direct: Sql;
  /** The same, with `inControl` and `direct` in that database. */
  of(cluster: string): UnitOfWork<S>;
}

export interface WorkOptions {
  /** Ids of the tenant migrations that the service's code was written for: a schema without them is refused, not misread. */
  readonly needs?: readonly string[];
}

export const ENTER = 'select weir.enter($1, $2)';

/**
 * Forgetting to say whose transaction it is gives an error and never another tenant's rows: the login owns nothing and inherits
 * nothing of a tenant's role, and all settings are local to the transaction.
 */
export function unitOfWork(pools: Pool | Databases, service: ServiceName, { needs = [] }: WorkOptions = {}): UnitOfWork {
  const { home, clusters } = databasesOf(pools);
  const places = new Whereabouts(home, clusters);
  const control = loginOf(service);

  const inControlOf = <T>(pool: Pool, work: (sql: Sql) => Promise<T>): Promise<T> =>
    translating(() =>
      transaction(pool, async (client) => {
        await client.query("select set_config('search_path', $1, true)", [control]);
        return work(client as unknown as Sql);
      }),
    );

  const directOf = (pool: Pool): Sql => ({ query: (text, values) => translating(() => pool.query(text, values as unknown[])) });

  const work: UnitOfWork = {
    inTenant: (tenant, run) =>
      translating(() =>
        places.visit(tenant, (pool) =>
          transaction(pool, async (client) => {
            await client.query(ENTER, [tenant, needs]);
            return run(client as unknown as Sql);
          }),
        ),
      ),
    inControl: (run) => inControlOf(home, run),
    inEveryControl: (run, leftOut) => inEach(places.all, (pool) => inControlOf(pool, run), leftOut),
    leaveTenant: async (sql) => void (await sql.query('select weir.leave($1)', [control])),
    directIn: (tenant) => ({
      query: (text, values) => translating(() => places.visit(tenant, (pool) => pool.query(text, values as unknown[]))),
      prepared: (text, values) => translating(() => places.visit(tenant, (pool) => queryPrepared(pool, tenant, text, values))),
    }),
    direct: directOf(home),
    of: (cluster) => ({ ...work, inControl: (run) => inControlOf(places.of(cluster), run), direct: directOf(places.of(cluster)) }),
  };
  return work;
}

/** All of them, or those that did not fail where somebody wants to hear of the others. */
export async function inEach<P, T>(places: readonly P[], work: (place: P) => Promise<T>, leftOut?: (error: Error) => void): Promise<T[]> {
  if (leftOut === undefined) return Promise.all(places.map(work));
  const outcomes = await Promise.allSettled(places.map(work));
  for (const outcome of outcomes) if (outcome.status === 'rejected') leftOut(outcome.reason as Error);
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
}

export async function translating<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw translated((error as { driverError?: unknown }).driverError ?? error);
  }
}

/** What the driver says, without a code, of a session that it could not open or that has ended under it. */
const LOST_SESSION = /timeout exceeded when trying to connect|Connection terminated|connection error and is not queryable/;

export function translated(error: unknown): unknown {
  switch (sqlState(error)) {
    case SQLSTATE.unknownTenant:
      return notFound('tenant');
    case SQLSTATE.readOnly:
    case SQLSTATE.livesElsewhere:
      return unavailable('tenant-moving', 'The tenant is being moved to another place. Try again in a moment.', error);
    case SQLSTATE.schemaBehind:
      return new AppError('tenant-migrating', 'unavailable', "The tenant's schema is being brought to this release. Try again in a moment.", { retryAfter: 2, cause: error });
  }
  if (isConnectionTrouble(error) || isUnanswered(error) || LOST_SESSION.test(String(error))) {
    return unavailable('database-unavailable', 'The database cannot be reached now. Try again in a moment.', error);
  }
  return error;
}

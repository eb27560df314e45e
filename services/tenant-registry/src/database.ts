import { DataSource, type EntityManager, type QueryRunner } from 'typeorm';
import type { TenantId } from '@weir/kernel';
import { loginOf, translated, type Sql, type UnitOfWork } from '@weir/tenancy';
import { ENTITIES } from './read-models';

/** A statement runner that also knows the registry's entities, on the same connection and in the same transaction. */
export interface RegistrySql extends Sql {
  readonly manager: EntityManager;
}

const CONTROL = loginOf('tenant-registry');

/** One DataSource; entities name no schema: outside of a unit of work there is no search_path and every query fails. */
export async function openDataSource(url: string, poolSize: number): Promise<DataSource> {
  const source = new DataSource({ type: 'postgres', url, entities: ENTITIES, poolSize, extra: { connectionTimeoutMillis: 5_000 } });
  return source.initialize();
}

/** The unit of work over TypeORM, so that read models are written in the transaction of the events they follow. */
export function registryWork(source: DataSource, direct: Sql): UnitOfWork<RegistrySql> {
  async function transaction<T>(begin: string, value: string, work: (sql: RegistrySql) => Promise<T>): Promise<T> {
    const runner = source.createQueryRunner();
    try {
      await runner.connect();
      await runner.startTransaction();
      await runner.query(begin, [value]);
      const result = await work(sqlOf(runner));
      await runner.commitTransaction();
      return result;
    } catch (error) {
      if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
      throw translated((error as { driverError?: unknown }).driverError ?? error);
    } finally {
      await runner.release();
    }
  }

  return {
    inTenant: (tenant: TenantId, work) => transaction('select weir.enter($1)', tenant, work),
    inControl: (work) => transaction("select set_config('search_path', $1, true)", CONTROL, work),
    leaveTenant: async (sql) => void (await sql.query('select weir.leave($1)', [CONTROL])),
    direct: direct as RegistrySql,
  };
}

const sqlOf = (runner: QueryRunner): RegistrySql => ({
  manager: runner.manager,
  query: async (text, values) => {
    const result = await runner.query(text, values as unknown[], true);
    return { rows: result.records, rowCount: result.affected ?? result.records.length } as never;
  },
});

import { DataSource, type EntityManager, type QueryRunner } from 'typeorm';
import type { TenantId } from '@weir/kernel';
import type { CommonConfig } from '@weir/service-host';
import { ENTER, Whereabouts, loginOf, translating, withLogin, type Sql, type UnitOfWork } from '@weir/tenancy';
import { ENTITIES } from './read-models';

/** A statement runner that also knows the registry's entities, on the same connection and in the same transaction. */
export interface RegistrySql extends Sql {
  readonly manager: EntityManager;
}

const CONTROL = loginOf('tenant-registry');

/** One DataSource a database; entities name no schema: outside of a unit of work there is no search_path and every query fails. */
export async function openDataSource(url: string, poolSize: number): Promise<DataSource> {
  const source = new DataSource({ type: 'postgres', url, entities: ENTITIES, poolSize, extra: { connectionTimeoutMillis: 5_000 } });
  return source.initialize();
}

export async function openDataSources({ postgresUrl, postgresPoolSize, clusters }: Pick<CommonConfig, 'postgresUrl' | 'postgresPoolSize' | 'clusters'>): Promise<DataSources> {
  const home = await openDataSource(postgresUrl, postgresPoolSize);
  const others = Object.entries(clusters).map(async ([name, url]) => [name, await openDataSource(withLogin(url, postgresUrl), postgresPoolSize)] as const);
  return { home, clusters: new Map(await Promise.all(others)) };
}

export interface DataSources {
  readonly home: DataSource;
  readonly clusters: ReadonlyMap<string, DataSource>;
}

/** The unit of work over TypeORM, so that read models are written in the transaction of the events they follow. */
export function registryWork({ home, clusters }: DataSources, plain: UnitOfWork, needs: readonly string[]): UnitOfWork<RegistrySql> {
  const places = new Whereabouts(home, clusters);

  async function transaction<T>(source: DataSource, begin: string, values: unknown[], work: (sql: RegistrySql) => Promise<T>): Promise<T> {
    const runner = source.createQueryRunner();
    try {
      await runner.connect();
      await runner.startTransaction();
      await runner.query(begin, values);
      const result = await work(sqlOf(runner));
      await runner.commitTransaction();
      return result;
    } catch (error) {
      if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
      throw error;
    } finally {
      await runner.release();
    }
  }

  const inControlOf = <T>(source: DataSource, work: (sql: RegistrySql) => Promise<T>): Promise<T> =>
    translating(() => transaction(source, "select set_config('search_path', $1, true)", [CONTROL], work));

  const work: UnitOfWork<RegistrySql> = {
    inTenant: (tenant: TenantId, run) => translating(() => places.visit(tenant, (source) => transaction(source, ENTER, [tenant, needs], run))),
    inControl: (run) => inControlOf(home, run),
    inEveryControl: (run) => Promise.all(places.all.map((source) => inControlOf(source, run))),
    leaveTenant: async (sql) => void (await sql.query('select weir.leave($1)', [CONTROL])),
    directIn: (tenant) => plain.directIn(tenant),
    direct: plain.direct,
    of: (cluster) => ({ ...work, inControl: (run) => inControlOf(places.of(cluster), run), direct: plain.of(cluster).direct }),
  };
  return work;
}

const sqlOf = (runner: QueryRunner): RegistrySql => ({
  manager: runner.manager,
  query: async (text, values) => {
    const result = await runner.query(text, values as unknown[], true);
    return { rows: result.records, rowCount: result.affected ?? result.records.length } as never;
  },
});

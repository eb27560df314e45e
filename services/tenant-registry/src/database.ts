import { DataSource, type EntityManager, type QueryRunner } from 'typeorm';
import type { TenantId } from '@weir/kernel';
import type { CommonConfig } from '@weir/service-host';
import { ENTER, Whereabouts, inEach, loginOf, translating, withLogin, type Sql, type UnitOfWork } from '@weir/tenancy';
import { ENTITIES } from './read-models';

/** A statement runner that also knows the registry's entities, on the same connection and in the same transaction. */
export interface RegistrySql extends Sql {
  readonly manager: EntityManager;
}

const CONTROL = loginOf('tenant-registry');

/** One DataSource a database; entities name no schema: outside of a unit of work there is no search_path and every query fails. */
class Source {
  private opening: Promise<DataSource> | undefined;

  constructor(
    private readonly url: string,
    private readonly poolSize: number,
  ) {}

  /** Connected when it is first asked for, and tried again while it fails: a cluster that is down keeps nobody else from being served. */
  ready(): Promise<DataSource> {
    this.opening ??= new DataSource({ type: 'postgres', url: this.url, entities: ENTITIES, poolSize: this.poolSize, extra: { connectionTimeoutMillis: 5_000 } }).initialize().catch((error: unknown) => {
      this.opening = undefined;
      throw error;
    });
    return this.opening;
  }

  async close(): Promise<void> {
    await (await this.opening?.catch(() => undefined))?.destroy();
  }
}

export async function openDataSources({ postgresUrl, postgresPoolSize, clusters }: Pick<CommonConfig, 'postgresUrl' | 'postgresPoolSize' | 'clusters'>): Promise<DataSources> {
  const home = new Source(postgresUrl, postgresPoolSize);
  await home.ready();
  return { home, clusters: new Map(Object.entries(clusters).map(([name, url]) => [name, new Source(withLogin(url, postgresUrl), postgresPoolSize)])) };
}

export interface DataSources {
  readonly home: Source;
  readonly clusters: ReadonlyMap<string, Source>;
}

/** The unit of work over TypeORM, so that read models are written in the transaction of the events they follow. */
export function registryWork({ home, clusters }: DataSources, plain: UnitOfWork, needs: readonly string[]): UnitOfWork<RegistrySql> {
  const places = new Whereabouts(home, clusters);

  async function transaction<T>(source: Source, begin: string, values: unknown[], work: (sql: RegistrySql) => Promise<T>): Promise<T> {
    const runner = (await source.ready()).createQueryRunner();
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

  const inControlOf = <T>(source: Source, work: (sql: RegistrySql) => Promise<T>): Promise<T> =>
    translating(() => transaction(source, "select set_config('search_path', $1, true)", [CONTROL], work));

  const work: UnitOfWork<RegistrySql> = {
    inTenant: (tenant: TenantId, run) => translating(() => places.visit(tenant, (source) => transaction(source, ENTER, [tenant, needs], run))),
    inControl: (run) => inControlOf(home, run),
    inEveryControl: (run, leftOut) => inEach(places.all, (source) => inControlOf(source, run), leftOut),
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

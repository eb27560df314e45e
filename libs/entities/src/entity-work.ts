import { DataSource, type EntityManager, type QueryRunner } from 'typeorm';
import type { TenantId } from '@weir/kernel';
import { ENTER, Whereabouts, inEach, loginOf, translating, withLogin, type ServiceName, type Sql, type UnitOfWork } from '@weir/tenancy';

export type Entities = readonly (abstract new () => object)[];

/** A statement runner that also knows a service's entities, on the same connection and in the same transaction. */
export interface EntitySql extends Sql {
  readonly manager: EntityManager;
}

/** One DataSource a database; entities name no schema: outside of a unit of work there is no search_path and every query fails. */
class Source {
  private opening: Promise<DataSource> | undefined;

  constructor(
    private readonly url: string,
    private readonly poolSize: number,
    private readonly entities: Entities,
  ) {}

  /** Connected when it is first asked for, and tried again while it fails: a cluster that is down keeps nobody else from being served. */
  ready(): Promise<DataSource> {
    this.opening ??= new DataSource({ type: 'postgres', url: this.url, entities: [...this.entities] as never[], poolSize: this.poolSize, extra: { connectionTimeoutMillis: 5_000 } }).initialize().catch((error: unknown) => {
      this.opening = undefined;
      throw error;
    });
    return this.opening;
  }

  async close(): Promise<void> {
    await (await this.opening?.catch(() => undefined))?.destroy();
  }
}

export interface Places {
  readonly postgresUrl: string;
  readonly postgresPoolSize: number;
  readonly clusters: Readonly<Record<string, string>>;
}

/** A DataSource for the home database, connected, and one for each cluster. */
export async function openDataSources({ postgresUrl, postgresPoolSize, clusters }: Places, entities: Entities): Promise<DataSources> {
  const sourceAt = (url: string) => new Source(url, postgresPoolSize, entities);
  const home = sourceAt(postgresUrl);
  await home.ready();
  return { home, clusters: new Map(Object.entries(clusters).map(([name, url]) => [name, sourceAt(withLogin(url, postgresUrl))])) };
}

export const closeDataSources = async ({ home, clusters }: DataSources): Promise<void> =>
  void (await Promise.all([home, ...clusters.values()].map((source) => source.close())));

export interface DataSources {
  readonly home: Source;
  readonly clusters: ReadonlyMap<string, Source>;
}

/** The unit of work over TypeORM, so that read models are written in the transaction of the events they follow. */
export function entityWork(service: ServiceName, { home, clusters }: DataSources, plain: UnitOfWork, needs: readonly string[]): UnitOfWork<EntitySql> {
  const control = loginOf(service);
  const places = new Whereabouts(home, clusters);

  async function transaction<T>(source: Source, begin: string, values: unknown[], work: (sql: EntitySql) => Promise<T>): Promise<T> {
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

  const inControlOf = <T>(source: Source, work: (sql: EntitySql) => Promise<T>): Promise<T> =>
    translating(() => transaction(source, "select set_config('search_path', $1, true)", [control], work));

  const work: UnitOfWork<EntitySql> = {
    inTenant: (tenant: TenantId, run) => translating(() => places.visit(tenant, (source) => transaction(source, ENTER, [tenant, needs], run))),
    inControl: (run) => inControlOf(home, run),
    inEveryControl: (run, leftOut) => inEach(places.all, (source) => inControlOf(source, run), leftOut),
    leaveTenant: async (sql) => void (await sql.query('select weir.leave($1)', [control])),
    directIn: (tenant) => plain.directIn(tenant),
    direct: plain.direct,
    of: (cluster) => ({ ...work, inControl: (run) => inControlOf(places.of(cluster), run), direct: plain.of(cluster).direct }),
  };
  return work;
}

const sqlOf = (runner: QueryRunner): EntitySql => ({
  manager: runner.manager,
  query: async (text, values) => {
    const result = await runner.query(text, values as unknown[], true);
    return { rows: result.records, rowCount: result.affected ?? result.records.length } as never;
  },
});

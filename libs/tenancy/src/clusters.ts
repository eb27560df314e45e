import type { Pool } from 'pg';
import type { TenantId } from '@weir/kernel';
import { SQLSTATE, sqlState } from './sql';

/** The database that decides where each tenant lives. */
export const HOME = 'home';

/** The databases that tenants may live in: home, and clusters by the names that `weir.clusters` and WEIR_CLUSTERS know. */
export interface Databases {
  readonly home: Pool;
  readonly clusters: ReadonlyMap<string, Pool>;
}

export const databasesOf = (pool: Pool | Databases): Databases => ('home' in pool ? pool : { home: pool, clusters: new Map() });

/** Every database knows the names that placements may bear. */
export async function registerClusters({ home, clusters }: Databases): Promise<void> {
  if (clusters.size === 0) return;
  for (const pool of [home, ...clusters.values()]) {
    await pool.query('insert into weir.clusters (name) select unnest($1::text[]) on conflict do nothing', [[...clusters.keys()]]);
  }
}

const MOST_HOPS = 3;

/** Finds tenants. `T` is what stands for a database: a pool, a DataSource. */
export class Whereabouts<T> {
  /** Tenants away from home, as far as this process has heard. */
  private readonly away = new Map<TenantId, string>();

  constructor(
    private readonly home: T,
    private readonly clusters: ReadonlyMap<string, T>,
  ) {}

  get all(): readonly T[] {
    return [this.home, ...this.clusters.values()];
  }

  /** @throws TypeError for a name that nobody configured */
  of(cluster: string): T {
    const found = cluster === HOME ? this.home : this.clusters.get(cluster);
    if (found === undefined) throw new TypeError(`WEIR_CLUSTERS does not name the cluster ${cluster}`);
    return found;
  }

  /**
   * Runs a piece of work where the tenant lives. No look-up before it: the database that it has left says so (weir.enter, WR307), before
   * anything was done, and where it went; the next piece goes there at once. So a move needs no message to be noticed.
   */
  async visit<R>(tenant: TenantId, work: (database: T) => Promise<R>): Promise<R> {
    for (let hop = 0; ; hop++) {
      const cluster = this.away.get(tenant) ?? HOME;
      try {
        return await work(this.of(cluster));
      } catch (error) {
        const next = nextStop(error, cluster);
        if (next === undefined || hop === MOST_HOPS || (next !== HOME && !this.clusters.has(next))) throw error;
        if (next === HOME) this.away.delete(tenant);
        else this.away.set(tenant, next);
      }
    }
  }
}

function nextStop(error: unknown, at: string): string | undefined {
  const raised = (error as { driverError?: { detail?: string } }).driverError ?? (error as { detail?: string });
  const state = sqlState(raised);
  if (state === SQLSTATE.livesElsewhere) return raised.detail === '' ? undefined : raised.detail;
  // a cluster that was cleared after a move knows the tenant no more
  return state === SQLSTATE.unknownTenant && at !== HOME ? HOME : undefined;
}

import type { Pool } from 'pg';
import type { TenantId } from '@weir/kernel';
import { Whereabouts, databasesOf, type Databases } from './clusters';
import { clear } from './mover';
import { currentPlace, holding } from './place';
import type { Sql } from './sql';
import { qualified, speakFor, tablesOf, travellingTables } from './tenant-rows';

/** What a state topic says of a tenant's thing. */
export interface SaidState {
  readonly topic: string;
  readonly key: string;
  readonly version: number;
}

export interface LastWords {
  readonly position: number;
  readonly chainHash: string;
  /** What is still said of it, and has to be withdrawn. */
  readonly states: readonly SaidState[];
  /** Whether all of its log and states have been published. */
  readonly published: boolean;
}

export interface Purger {
  /** @throws AppError `not-found` for a tenant without a placement */
  lastWords(tenant: TenantId): Promise<LastWords>;
  /** Takes the tenant's data, schema and role away; again for one that is gone changes nothing. @returns rows by table */
  purge(tenant: TenantId): Promise<{ rows: Record<string, number> }>;
}

/** For tenants that have been offboarded, which the caller sees to. */
export function purger(pools: Pool | Databases): Purger {
  const { home, clusters } = databasesOf(pools);
  const places = new Whereabouts(home, clusters);

  return {
    async lastWords(tenant) {
      const place = await currentPlace(home, tenant);
      return holding(places.of(place.at), tenant, async (sql) => {
        await speakFor(sql, tenant);
        const { rows: heads } = await sql.query<{ position: string; hash: string }>(
          `select position, encode(chain_hash, 'hex') as hash from "${place.home}".log_heads where tenant_id = $1`,
          [tenant],
        );
        const { rows: states } = await sql.query<{ topic: string; key: string; version: string }>(
          `select topic, key, version from "${place.home}".published_states where tenant_id = $1 and body is not null order by topic, key`,
          [tenant],
        );
        const news = await sql.query('select 1 from weir.news where tenant_id = $1', [tenant]);
        return {
          position: Number(heads[0]?.position ?? 0),
          chainHash: heads[0]?.hash ?? '',
          states: states.map((state) => ({ ...state, version: Number(state.version) })),
          published: news.rows.length === 0,
        };
      });
    },

    async purge(tenant) {
      const { rows: placed } = await home.query('select 1 from weir.placements where tenant_id = $1', [tenant]);
      if (placed.length === 0) return { rows: {} };
      const place = await currentPlace(home, tenant);
      const rows = await holding(places.of(place.at), tenant, async (sql) => {
        await speakFor(sql, tenant);
        const counted: Record<string, number> = {};
        const there = await sql.query('select 1 from pg_namespace where nspname = $1', [place.home]);
        const tables = there.rows.length === 0 ? [] : await tablesOf(sql, place.home);
        for (const table of tables) counted[table.name] = await countOf(sql, qualified(table), tenant);
        if (tables.length > 0) await clear(sql, place, tenant);
        for (const table of await travellingTables(sql, true)) await sql.query(`delete from ${qualified(table)} where tenant_id = $1`, [tenant]);
        await sql.query('delete from weir.placements where tenant_id = $1', [tenant]);
        return counted;
      });
      for (const pool of places.all) await pool.query('delete from weir.placements where tenant_id = $1', [tenant]);
      return { rows };
    },
  };
}

async function countOf(sql: Sql, table: string, tenant: TenantId): Promise<number> {
  const { rows } = await sql.query<{ n: string }>(`select count(*) as n from ${table} where tenant_id = $1`, [tenant]);
  return Number(rows[0]?.n ?? 0);
}


import type { Pool } from 'pg';
import { AppError, notFound, sleep, type TenantId } from '@weir/kernel';
import { HOME, Whereabouts } from './clusters';
import { POOLED } from './home';
import { schemaOf } from './names';
import type { Placement } from './provisioning';
import { sqlState, type Sql } from './sql';
import { transaction } from './transaction';
import { speakFor } from './tenant-rows';

/** A placement with its database and its home's name. */
export interface Place {
  readonly kind: Placement['kind'];
  readonly at: string;
  readonly home: string;
}

export const placeOf = (tenant: TenantId, placement: Placement): Place => ({
  kind: placement.kind,
  at: placement.kind === 'database' ? placement.cluster : HOME,
  home: placement.kind === 'pooled' ? POOLED : schemaOf(tenant),
});

export const samePlace = (a: Place, b: Place): boolean => a.at === b.at && a.home === b.home;

/** Where the home database says that a tenant lives, and after how many moves. */
export async function currentPlace(home: Sql, tenant: TenantId): Promise<Place & { epoch: number }> {
  const { rows } = await home.query<{ kind: Place['kind']; at: string; home: string; epoch: number }>(
    'select kind, coalesce(elsewhere, $2) as at, schema_name as home, epoch from weir.placements where tenant_id = $1',
    [tenant, HOME],
  );
  if (rows[0] === undefined) throw notFound('tenant');
  return rows[0];
}

const HOLD_TRIES = 20;

/** Waits for the transactions that are in the tenant, then keeps it to itself for one of its own; gives up in time and tries again, so that a session that idles in one makes nobody wait for long. */
export async function holding<T>(pool: Pool, tenant: TenantId, work: (sql: Sql) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await transaction(pool, async (client) => {
        await client.query("set local lock_timeout = '1s'");
        await client.query('select weir.hold($1)', [tenant]);
        return work(client as unknown as Sql);
      });
    } catch (error) {
      if (sqlState(error) !== '55P03') throw error;
      if (attempt === HOLD_TRIES) throw new AppError('tenant-busy', 'unavailable', 'Transactions of the tenant did not end in time. Try again.', { cause: error, retryAfter: 10 });
      await sleep(100 * attempt);
    }
  }
}

/** From here on the tenant is read only and its log closed, or open again. */
export const setMoving = (places: Whereabouts<Pool>, tenant: TenantId, place: Place, moving: boolean): Promise<void> =>
  holding(places.of(place.at), tenant, async (sql) => {
    await sql.query('update weir.placements set state = $2 where tenant_id = $1 and elsewhere is null', [tenant, moving ? 'moving' : 'open']);
    await speakFor(sql, tenant);
    await sql.query(`update "${place.home}".log_heads set frozen = $2 where tenant_id = $1`, [tenant, moving]);
  });

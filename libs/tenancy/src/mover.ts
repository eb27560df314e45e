import type { Pool, PoolClient } from 'pg';
import { AppError, type TenantId } from '@weir/kernel';
import type { Bundle } from './bundle';
import { HOME, Whereabouts, databasesOf, type Databases } from './clusters';
import { carryIndexes } from './extra-indexes';
import { POOLED, TenantSchema, dropHome, ensureHome, lockHome } from './home';
import { currentPlace, holding, placeOf, samePlace, setMoving, type Place } from './place';
import type { Placement } from './provisioning';
import type { Sql } from './sql';
import { assertEqual, carriedTables, copyAcross, copyWithin, fingerprint, qualified, speakFor, tablesOf, travellingTables, where, withoutForcedSecurity, type Fingerprint } from './tenant-rows';
import { transaction } from './transaction';

interface Move {
  readonly tenant: TenantId;
  readonly epoch: number;
  readonly from: Place;
  readonly to: Place;
}

export interface Moved {
  readonly epoch: number;
  /** The log as it was at the switch: the same on both sides. */
  readonly position: number;
  readonly chainHash: string;
  readonly tables: readonly Fingerprint[];
  /** ms for which the tenant could not be written. */
  readonly heldMs: number;
}

/**
 * Moves tenants between placements while they work:
 *
 *     copying ──▶ read only ──▶ switched ──▶ cleared
 *        └───────────┴── anything goes wrong: undone, the tenant stays where it was
 *
 * The log is copied ahead, since it only grows; then writes are refused for as long as the rest takes; then both sides are compared, and
 * one update of the home database's placement moves the tenant. Whoever writes at the old place is told where it went (weir.enter), and a
 * transaction that was in it has ended before. What a killed mover left is undone or finished by the next one.
 */
export interface Mover {
  /** @returns undefined when the tenant is there already */
  move(tenant: TenantId, to: Placement): Promise<Moved | undefined>;
  /** Where a tenant's log stands, and after how many moves. */
  head(tenant: TenantId): Promise<Pick<Moved, 'epoch' | 'position' | 'chainHash'>>;
  /** Undoes or finishes every move that nobody is at. */
  settle(): Promise<void>;
}

/** Events by which the copy may be behind when the tenant is made read only. */
const CLOSE_ENOUGH = 500;
const ROUNDS = 20;

export function mover(pools: Pool | Databases, bundle: Bundle): Mover {
  const { home, clusters } = databasesOf(pools);
  const places = new Whereabouts(home, clusters);
  const schema = new TenantSchema(bundle);

  async function moveOnce(tenant: TenantId, to: Place): Promise<Moved | undefined> {
    const from = await currentPlace(home, tenant);
    if (samePlace(from, to)) return undefined;
    await assertCurrent(places.of(from.at), from.home, schema);
    const move: Move = { tenant, epoch: from.epoch + 1, from, to };
    await home.query(
      'insert into weir.moves (tenant_id, epoch, from_kind, from_at, from_schema, to_kind, to_at, to_schema) values ($1, $2, $3, $4, $5, $6, $7, $8)',
      [tenant, move.epoch, from.kind, from.at, from.home, to.kind, to.at, to.home],
    );
    try {
      await prepare(move);
      const ahead = await copyAhead(move);
      const heldSince = performance.now();
      await setMoving(places, tenant, from, true);
      const moved = await (from.at === to.at ? copyAndSwitch(move, ahead) : copyThenSwitch(move, ahead));
      await finish(move);
      return { ...moved, epoch: move.epoch, heldMs: performance.now() - heldSince };
    } catch (error) {
      await settleMove(move);
      throw error;
    }
  }

  async function prepare({ tenant, to }: Move): Promise<void> {
    await transaction(places.of(to.at), async (client) => {
      await lockHome(client, to.home);
      if (to.home !== POOLED) await dropHome(client, to.home);
      await ensureHome(client, to.home, schema);
      if (to.at === HOME) return;
      await client.query(
        `insert into weir.placements (tenant_id, kind, state, schema_name) values ($1, $2, 'arriving', $3)
         on conflict (tenant_id) do update set kind = excluded.kind, state = excluded.state, schema_name = excluded.schema_name, elsewhere = null`,
        [tenant, to.kind, to.home],
      );
    });
  }

  /** Answers up to which position the log has been copied. */
  async function copyAhead(move: Move): Promise<number> {
    const { tenant, from } = move;
    let copied = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const head = (await bothSides(move, (source) => headOf(source, from, tenant))).position;
      if (head - copied <= CLOSE_ENOUGH) break;
      await bothSides(move, (source, target) => copyTables(move, source, target, { events: { after: copied, upTo: head } }));
      copied = head;
    }
    return copied;
  }

  /** Within one database all of it is one transaction. */
  async function copyAndSwitch(move: Move, ahead: number) {
    return transaction(home, async (client) => {
      await speakFor(client, move.tenant);
      const moved = await copyRest(move, client, client, ahead);
      await client.query("set local lock_timeout = '5s'");
      await client.query('select weir.hold($1)', [move.tenant]);
      await switchTo(client, move);
      await clear(client, move.from, move.tenant);
      return moved;
    });
  }

  /** Between two, the copy is whole and closed before home says that the tenant is there. */
  async function copyThenSwitch(move: Move, ahead: number) {
    const moved = await bothSides(move, async (source, target) => {
      for (const table of await travellingTables(source)) {
        await target.query(`delete from ${qualified(table)} where tenant_id = $1`, [move.tenant]);
        await copyAcross(source, table, target, table, { tenant: move.tenant });
      }
      const result = await copyRest(move, source, target, ahead);
      await target.query('select weir.mark_news()');
      return result;
    });
    await holding(home, move.tenant, (sql) => switchTo(sql, move));
    return moved;
  }

  async function copyRest(move: Move, source: PoolClient, target: PoolClient, ahead: number) {
    const { tenant, from, to } = move;
    await copyTables(move, source, target, { all: { after: ahead } });
    const tables = await carriedTables(source, from.home);
    const before: Fingerprint[] = [];
    const after: Fingerprint[] = [];
    for (const table of tables) {
      before.push(await fingerprint(source, table, tenant));
      after.push(await fingerprint(target, { ...table, schema: to.home }, tenant));
    }
    assertEqual(before, after);
    await carryIndexes(source, target, from.home, to.home);
    const head = await headOf(target, to, tenant);
    await target.query(`update "${to.home}".log_heads set frozen = false, epoch = $2 where tenant_id = $1`, [tenant, move.epoch]);
    return { ...head, tables: after };
  }

  async function copyTables({ tenant, from, to }: Move, source: PoolClient, target: PoolClient, what: { events: { after: number; upTo: number } } | { all: { after: number } }): Promise<void> {
    const tables = (await carriedTables(source, from.home)).filter(({ name }) => !('events' in what) || name === 'events');
    const targets = tables.map((table) => ({ ...table, schema: to.home }));
    const copy = async () => {
      for (const [i, table] of tables.entries()) {
        const slice = { tenant, ...('events' in what ? what.events : table.name === 'events' ? what.all : {}) };
        const into = targets[i] ?? table;
        if (source === target) await copyWithin(source, table, into, slice);
        else await copyAcross(source, table, target, into, slice);
      }
    };
    await (to.home === POOLED ? copy() : withoutForcedSecurity(target, targets, copy));
  }

  const switchTo = async (sql: Sql, { tenant, epoch, to }: Move): Promise<void> =>
    void (await sql.query(`update weir.placements set kind = $2, elsewhere = $3, schema_name = $4, epoch = $5, state = 'open' where tenant_id = $1`, [
      tenant,
      to.kind,
      to.at === HOME ? null : to.at,
      to.home,
      epoch,
    ]));

  /** One transaction on each side; the same one where both are one database. */
  async function bothSides<T>({ tenant, from, to }: Move, work: (source: PoolClient, target: PoolClient) => Promise<T>): Promise<T> {
    return transaction(places.of(from.at), async (source) => {
      await speakFor(source, tenant);
      if (from.at === to.at) return work(source, source);
      return transaction(places.of(to.at), async (target) => {
        await speakFor(target, tenant);
        return work(source, target);
      });
    });
  }

  /** After the switch; again whenever it was cut off. */
  async function finish(move: Move): Promise<void> {
    const { tenant, from, to } = move;
    if (from.at !== to.at) {
      if (from.at !== HOME) {
        await holding(places.of(from.at), tenant, (sql) => sql.query(`update weir.placements set elsewhere = $2, state = 'open' where tenant_id = $1`, [tenant, to.at]));
      }
      await places.of(to.at).query(`update weir.placements set state = 'open', epoch = $2 where tenant_id = $1 and state = 'arriving'`, [tenant, move.epoch]);
      await transaction(places.of(from.at), async (client) => {
        await speakFor(client, tenant);
        for (const table of await travellingTables(client)) await client.query(`delete from ${qualified(table)} where tenant_id = $1`, [tenant]);
        await clear(client, from, tenant);
      });
    }
    await home.query('delete from weir.moves where tenant_id = $1', [tenant]);
  }

  async function undo(move: Move): Promise<void> {
    const { tenant, from, to } = move;
    await transaction(places.of(to.at), async (client) => {
      await speakFor(client, tenant);
      await clear(client, to, tenant);
      if (from.at === to.at) return;
      for (const table of await travellingTables(client)) await client.query(`delete from ${qualified(table)} where tenant_id = $1`, [tenant]);
      if (to.at !== HOME) await client.query('delete from weir.placements where tenant_id = $1', [tenant]);
    });
    await setMoving(places, tenant, from, false);
    await home.query('delete from weir.moves where tenant_id = $1', [tenant]);
  }

  async function settleMove(move: Move): Promise<void> {
    const { epoch } = await currentPlace(home, move.tenant);
    await (epoch >= move.epoch ? finish(move) : undo(move));
  }

  async function leftOver(tenant: TenantId): Promise<Move | undefined> {
    const { rows } = await home.query<Record<'from_kind' | 'from_at' | 'from_schema' | 'to_kind' | 'to_at' | 'to_schema', never> & { epoch: number }>(
      'select * from weir.moves where tenant_id = $1',
      [tenant],
    );
    const row = rows[0];
    if (row === undefined) return undefined;
    const from: Place = { kind: row.from_kind, at: row.from_at, home: row.from_schema };
    const to: Place = { kind: row.to_kind, at: row.to_at, home: row.to_schema };
    return { tenant, epoch: row.epoch, from, to };
  }

  /** One mover a tenant, for as long as the session lives. @returns undefined when another one is at it */
  async function alone<T>(tenant: TenantId, work: () => Promise<T>): Promise<T | undefined> {
    const client = await home.connect();
    let broken: Error | undefined;
    const onLost = (error: Error) => (broken = error);
    client.on('error', onLost);
    try {
      const { rows } = await client.query<{ mine: boolean }>('select pg_try_advisory_lock(hashtextextended($1, 21)) as mine', [tenant]);
      if (rows[0]?.mine !== true) return undefined;
      try {
        const left = await leftOver(tenant);
        if (left !== undefined) await settleMove(left);
        return await work();
      } finally {
        await client.query('select pg_advisory_unlock(hashtextextended($1, 21))', [tenant]).catch(onLost);
      }
    } finally {
      client.off('error', onLost);
      client.release(broken);
    }
  }

  return {
    async move(tenant, placement) {
      const to = placeOf(tenant, placement);
      places.of(to.at);
      const result = await alone(tenant, async () => {
        // COPY writes no table that row security guards, as the pooled ones: what comes from another database stops over in a schema
        const { at } = await currentPlace(home, tenant);
        if (to.home === POOLED && at !== HOME) await moveOnce(tenant, placeOf(tenant, { kind: 'schema' }));
        return { moved: await moveOnce(tenant, to) };
      });
      if (result === undefined) throw new AppError('move-running', 'conflict', 'The tenant is being moved already.');
      return result.moved;
    },

    async head(tenant) {
      const place = await currentPlace(home, tenant);
      const head = await transaction(places.of(place.at), async (client) => {
        await speakFor(client, tenant);
        return headOf(client, place, tenant);
      });
      return { epoch: place.epoch, ...head };
    },

    async settle() {
      const { rows } = await home.query<{ tenant_id: TenantId }>('select tenant_id from weir.moves order by started_at');
      for (const { tenant_id } of rows) await alone(tenant_id, async () => undefined);
    },
  };
}

async function headOf(sql: Sql, place: Place, tenant: TenantId): Promise<{ position: number; chainHash: string }> {
  const { rows } = await sql.query<{ position: string; hash: string }>(`select position, encode(chain_hash, 'hex') as hash from "${place.home}".log_heads where tenant_id = $1`, [tenant]);
  return { position: Number(rows[0]?.position ?? 0), chainHash: rows[0]?.hash ?? '' };
}

/** Takes a tenant's rows out of a home: the whole home where it was its own. */
export async function clear(sql: Sql, place: Place, tenant: TenantId): Promise<void> {
  if (place.home !== POOLED) return dropHome(sql, place.home);
  for (const table of (await tablesOf(sql, POOLED)).reverse()) await sql.query(`delete from ${qualified(table)} where ${where({ tenant })}`);
}

async function assertCurrent(sql: Sql, home: string, schema: TenantSchema): Promise<void> {
  const { rows } = await sql.query<{ applied: string[] }>('select applied from weir.homes where schema_name = $1', [home]);
  const missing = schema.missing(rows[0]?.applied ?? []);
  if (missing.length > 0) throw new AppError('schema-behind', 'conflict', `The tenant's schema lacks ${missing.join(', ')}: run the migrations first.`);
}

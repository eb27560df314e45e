import type { StoredEvent } from '@weir/audit-format';
import { EVENTS, readEvent } from '@weir/contracts';
import type { TenantId } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import { contractOf, type Contracts } from './contracts';
import { readEvents } from './event-log';

/**
 * A read model in a tenant's schema that follows the tenant's log. Its tables have a column `generation`; it writes with the
 * generation that it is given, and is read where the generation is the live one.
 */
export interface ProjectionDefinition {
  readonly name: string;
  /** Another one whenever `apply` changes what it writes: the next catching up builds it anew, beside the live one. */
  readonly version: number;
  readonly tables: readonly string[];
  /** Writes of a batch of events, in their order, in the transaction that moves the checkpoint past them: each event once. */
  readonly apply: (sql: Sql, events: readonly StoredEvent[], generation: number) => Promise<void>;
  /**
   * Data come as they were written, and not as the current version of their contract has them: for what looks at envelopes alone, and
   * must not stop at a type that this release does not know.
   */
  readonly asWritten?: boolean;
}

export interface Projection {
  /**
   * In a tenant's transaction, such as that of an append or of a read: what the log has more than the live generation, one batch at
   * most. A projection that was never built, or by older code, is left to {@link catchUp}.
   *
   * @returns the generation to read; undefined while there is none
   */
  follow(sql: Sql, tenant: TenantId): Promise<number | undefined>;
  /**
   * To the end of the log, a transaction a batch; builds what is missing or of another version, and swaps.
   *
   * @param signal ends it between two batches; what is done stays done
   */
  catchUp(tenant: TenantId, signal?: AbortSignal): Promise<void>;
  /** Builds it from the log's beginning beside the live one, and swaps. One that was cut off goes on where it was. */
  rebuild(tenant: TenantId): Promise<void>;
}

interface Generation {
  readonly generation: number;
  readonly position: number;
  readonly definition: number;
  readonly live: boolean;
}

const COLUMNS = 'generation, position::float8 as position, definition, live';

export function projection(
  { inTenant }: Pick<UnitOfWork, 'inTenant'>,
  { name, version, tables, apply, asWritten = false }: ProjectionDefinition,
  { batch = 500, contracts = EVENTS }: { batch?: number; contracts?: Contracts } = {},
): Projection {
  /** @param lock so that two who advance one generation do so one after the other */
  async function generation(sql: Sql, tenant: TenantId, live: boolean, lock: 'for update' | '' = 'for update'): Promise<Generation | undefined> {
    const { rows } = await sql.query<{ generation: number; position: number; definition: number; live: boolean }>(
      `select ${COLUMNS} from log_projections where tenant_id = $1 and projection = $2 and live = $3 order by generation desc limit 1 ${lock}`,
      [tenant, name, live],
    );
    return rows[0];
  }

  /** @returns whether the end of the log has been reached */
  async function advance(sql: Sql, tenant: TenantId, from: Generation): Promise<boolean> {
    const events = await readEvents(sql, tenant, { after: from.position, limit: batch });
    if (events.length > 0) await apply(sql, asWritten ? events : events.map((event) => current(event, contracts)), from.generation);
    const last = events.at(-1);
    if (last !== undefined) {
      await sql.query('update log_projections set position = $4 where tenant_id = $1 and projection = $2 and generation = $3', [
        tenant,
        name,
        from.generation,
        last.position,
      ]);
    }
    return events.length < batch;
  }

  async function drop(sql: Sql, tenant: TenantId, generations: readonly number[]): Promise<void> {
    for (const table of tables) await sql.query(`delete from ${table} where tenant_id = $1 and generation = any ($2)`, [tenant, generations]);
    await sql.query('delete from log_projections where tenant_id = $1 and projection = $2 and generation = any ($3)', [tenant, name, generations]);
  }

  /** The one that is being built: the one that was cut off, if the same code began it. */
  async function begin(sql: Sql, tenant: TenantId): Promise<Generation> {
    const begun = await generation(sql, tenant, false);
    if (begun?.definition === version) return begun;
    if (begun !== undefined) await drop(sql, tenant, [begun.generation]);
    const { rows } = await sql.query<{ generation: number }>(
      `insert into log_projections (tenant_id, projection, generation, definition, live)
       select $1, $2, coalesce(max(generation), 0) + 1, $3, false from log_projections where tenant_id = $1 and projection = $2
       returning generation`,
      [tenant, name, version],
    );
    return { generation: rows[0]?.generation ?? 1, position: 0, definition: version, live: false };
  }

  async function swap(sql: Sql, tenant: TenantId, built: Generation): Promise<void> {
    const before = await generation(sql, tenant, true);
    if (before !== undefined) await drop(sql, tenant, [before.generation]);
    await sql.query('update log_projections set live = true where tenant_id = $1 and projection = $2 and generation = $3', [
      tenant,
      name,
      built.generation,
    ]);
  }

  const oneBuilder = (sql: Sql, tenant: TenantId) => sql.query('select pg_advisory_xact_lock(hashtextextended($1, 11))', [`${tenant}/${name}`]);

  async function build(tenant: TenantId, needed: (live: Generation | undefined) => boolean, signal?: AbortSignal): Promise<void> {
    for (let done = false; !done && signal?.aborted !== true;) {
      done = await inTenant(tenant, async (sql) => {
        await oneBuilder(sql, tenant);
        // not locked: the live one goes on while this is built
        if (!needed(await generation(sql, tenant, true, ''))) return true;
        const building = await begin(sql, tenant);
        if (!(await advance(sql, tenant, building))) return false;
        await swap(sql, tenant, building);
        return true;
      });
    }
  }

  // what newer code has built is its own to keep: during a rollout older code reads it and builds nothing
  const isOld = (live: Generation | undefined): boolean => live === undefined || live.definition < version;

  return {
    rebuild: (tenant) => build(tenant, () => true),
    async follow(sql, tenant) {
      const live = await generation(sql, tenant, true);
      if (live?.definition === version) await advance(sql, tenant, live);
      return live?.generation;
    },
    async catchUp(tenant, signal) {
      for (let done = false; !done && signal?.aborted !== true;) {
        const reached = await inTenant(tenant, async (sql) => {
          const live = await generation(sql, tenant, true);
          if (isOld(live)) return undefined;
          return live?.definition === version ? advance(sql, tenant, live) : true;
        });
        if (reached === undefined) return build(tenant, isOld, signal);
        done = reached;
      }
    },
  };
}

const current = (event: StoredEvent, contracts: Contracts): StoredEvent => {
  const contract = contractOf(event.type, contracts);
  return event.schemaVersion === contract.version ? event : { ...event, data: readEvent(contract, event.schemaVersion, event.data) };
};

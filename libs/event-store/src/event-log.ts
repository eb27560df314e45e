import type { StoredEvent } from '@weir/audit-format';
import { EVENTS } from '@weir/contracts';
import { AppError, versionConflict, type Aggregate, type CommandContext, type Decide, type Fact, type TenantId } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import { append, type Append, type Appended, type StateChange } from './append';
import type { Contracts } from './contracts';
import { EVENT_COLUMNS, toEvent, type EventRow } from './event';
import { groupAppend } from './group-append';
import { loadStream } from './streams';
import { keepSnapshot } from './snapshots';

export interface Decided<S, E> {
  readonly state: S;
  readonly version: number;
  /** What this decision added; none when it was done already. */
  readonly events: readonly E[];
}

export interface Decision<S, E extends Fact, Q extends Sql> {
  readonly tenant: TenantId;
  readonly stream: string;
  readonly aggregate: Aggregate<S, E>;
  readonly decide: Decide<S, E>;
  readonly context: CommandContext;
  /** The version that the caller has seen (If-Match): another one is a version conflict and not a retry. */
  readonly ifVersion?: number | undefined;
  readonly states?: (state: S, version: number) => readonly StateChange[];
  /** Writes of the service itself, in the same transaction, in the tenant's schema. */
  readonly also?: (sql: Q, decided: Decided<S, E>) => Promise<void>;
}

export interface EventLog<Q extends Sql = Sql> {
  append(request: Append): Promise<Appended>;
  load<S, E extends Fact>(tenant: TenantId, stream: string, aggregate: Aggregate<S, E>): Promise<{ state: S; version: number }>;
  /** Load, decide, append; again when somebody else was first. */
  decide<S, E extends Fact>(decision: Decision<S, E, Q>): Promise<Decided<S, E>>;
  /** Events after a position, oldest first. */
  read(tenant: TenantId, options: { after: number; limit: number; stream?: string }): Promise<StoredEvent[]>;
}

const TRIES = 20;

export function eventLog<Q extends Sql>(work: UnitOfWork<Q>, contracts: Contracts = EVENTS): EventLog<Q> {
  const appendGrouped = groupAppend(work, contracts);

  async function read(tenant: TenantId, options: { after: number; limit: number; stream?: string }): Promise<StoredEvent[]> {
    return work.inTenant(tenant, (sql) => readEvents(sql, tenant, options));
  }

  async function load<S, E extends Fact>(tenant: TenantId, stream: string, aggregate: Aggregate<S, E>) {
    const { state, version, due } = await work.inTenant(tenant, (sql) => loadStream(sql, tenant, stream, aggregate, contracts));
    // in a transaction of its own: one that cannot be kept now, say while the tenant is being moved, is kept another time
    if (due !== undefined) await work.inTenant(tenant, (sql) => keepSnapshot(sql, tenant, stream, due)).catch(() => undefined);
    return { state, version };
  }

  async function tryOnce<S, E extends Fact>(decision: Decision<S, E, Q>): Promise<Decided<S, E> | { conflict: number }> {
    const { tenant, stream, aggregate, context } = decision;
    const { state, version } = await load(tenant, stream, aggregate);
    if (decision.ifVersion !== undefined && decision.ifVersion !== version) throw versionConflict(version);

    const events = decision.decide(state);
    if (events.length === 0) return { state, version, events };

    const next = events.reduce(aggregate.evolve, state);
    const decided = { state: next, version: version + events.length, events };
    const request: Append = { tenant, stream, expected: version, events, context, states: decision.states?.(next, decided.version) ?? [] };

    const appended =
      decision.also === undefined
        ? await appendGrouped(request)
        : await work.inTenant(tenant, async (sql) => {
            const result = await append(sql, request, contracts);
            if (result.outcome === 'appended') await decision.also?.(sql, decided);
            return result;
          });
    if (appended.outcome === 'conflict') return { conflict: appended.version };
    if (appended.outcome === 'repeated') {
      const now = await load(tenant, stream, aggregate);
      return { ...now, events: [] };
    }
    return decided;
  }

  return {
    append: appendGrouped,
    load,
    read,
    async decide(decision) {
      for (let attempt = 1; ; attempt++) {
        const outcome = await tryOnce(decision);
        if (!('conflict' in outcome)) return outcome;
        if (attempt === TRIES) throw contended(decision.stream);
      }
    },
  };
}

export async function readEvents(
  sql: Sql,
  tenant: TenantId,
  options: { after: number; limit: number; stream?: string },
): Promise<StoredEvent[]> {
  const { rows } = await sql.query<EventRow>(
    `select ${EVENT_COLUMNS} from events
     where tenant_id = $1 and position > $2 and ($4::text is null or stream = $4) order by position limit $3`,
    [tenant, options.after, options.limit, options.stream ?? null],
  );
  return rows.map(toEvent);
}

const contended = (stream: string) =>
  new AppError('contended', 'conflict', `Too many changes to ${stream.split('/')[0]} at once. Try again.`, { retryAfter: 1 });

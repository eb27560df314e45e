import { EVENTS, readEvent } from '@weir/contracts';
import type { Aggregate, Fact, TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';
import { contractOf, type Contracts } from './contracts';
import { readSnapshot, type Snapshot } from './snapshots';

/** An event as an aggregate takes it: its data as the current version of its contract has them, whichever they were written in. */
export interface StreamEvent extends Fact {
  readonly stream: string;
  /** Within the stream, from 1. */
  readonly version: number;
  readonly eventId: string;
}

interface Row {
  stream: string;
  version: number;
  event_id: string;
  type: string;
  schema_version: number;
  data: string;
}

/**
 * Events of streams, each from a version on, a stream after the other.
 *
 * @throws ZodError for an event of another version than ours that its contract cannot read
 */
export async function readStreams(
  sql: Sql,
  tenant: TenantId,
  streams: readonly string[],
  { from = 1, contracts = EVENTS }: { from?: number; contracts?: Contracts } = {},
): Promise<StreamEvent[]> {
  const { rows } = await sql.query<Row>(
    `select stream, version, event_id, type, schema_version, data from events
     where tenant_id = $1 and stream = any ($2) and version >= $3 order by stream, version`,
    [tenant, streams, from],
  );
  return rows.map((row) => ({ stream: row.stream, version: row.version, eventId: row.event_id, type: row.type, data: dataOf(row, contracts) }));
}

function dataOf({ type, schema_version, data }: Row, contracts: Contracts): unknown {
  const written = JSON.parse(data) as unknown;
  const contract = contractOf(type, contracts);
  return schema_version === contract.version ? written : readEvent(contract, schema_version, written);
}

export interface LoadedStream<S> {
  readonly state: S;
  readonly version: number;
  /** A snapshot that should be kept now. */
  readonly due: Snapshot | undefined;
}

/** Folds a stream, from the last snapshot on where there is one of the same reducer and the same past. */
export async function loadStream<S, E extends Fact>(
  sql: Sql,
  tenant: TenantId,
  stream: string,
  { initial, evolve, snapshots }: Aggregate<S, E>,
  contracts: Contracts,
): Promise<LoadedStream<S>> {
  const kept = snapshots && (await readSnapshot(sql, tenant, stream, snapshots));
  // the event that the snapshot was taken at comes along, to prove that it still is in the log
  let events = await readStreams(sql, tenant, [stream], { from: kept?.version ?? 1, contracts });
  let state = initial;
  if (kept !== undefined) {
    const same = events[0]?.eventId === kept.eventId;
    events = same ? events.slice(1) : await readStreams(sql, tenant, [stream], { contracts });
    if (same) state = kept.state;
  }
  for (const event of events) state = evolve(state, event as unknown as E);
  const last = events.at(-1);
  const due = snapshots !== undefined && last !== undefined && events.length >= snapshots.every;
  return {
    state,
    version: last?.version ?? kept?.version ?? 0,
    due: due ? { reducer: snapshots.reducer, version: last.version, eventId: last.eventId, state } : undefined,
  };
}

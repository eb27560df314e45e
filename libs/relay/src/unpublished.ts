import { toRecord, type OutgoingRecord } from '@weir/bus';
import { EVENTS } from '@weir/contracts';
import type { Sql } from '@weir/tenancy';
import type { Again, Cursor, Lease } from './lease';

interface Row {
  seq: string;
  /** null for a state */
  event_id: string | null;
  /** the event's type, the state's topic */
  name: string;
  /** the event's stream, the state's key */
  key: string;
  version: string;
  body: string | null;
  schema_version: number;
  occurred_at: string;
  actor: string;
  causation_id: string | null;
  correlation_id: string | null;
  chain_hash: string;
}

export interface Page {
  readonly records: readonly OutgoingRecord[];
  readonly hasStates: boolean;
  /** Where the page ends. */
  readonly cursor: Cursor;
  /** There was nothing more. */
  readonly last: boolean;
}

/** What follows `cursor`, `limit` events and `limit` states at most. */
export async function readUnpublished(sql: Sql, lease: Lease, cursor: Cursor, limit: number): Promise<Page> {
  const { rows } = await sql.query<Row>('select * from weir.unpublished($1, $2, $3, $4)', [lease.tenant, cursor.position, cursor.stateSeq, limit]);
  const begin = rows.findIndex(({ event_id }) => event_id === null);
  const events = begin === -1 ? rows : rows.slice(0, begin);
  const states = begin === -1 ? [] : rows.slice(begin);
  const wanted = [
    ...events.map((row) => eventRecord(lease, row)).filter((record, i) => isWanted(record.topic, events[i], lease.again, lease.again.position)),
    ...states.map((row) => stateRecord(lease, row)).filter((record, i) => isWanted(record.topic, states[i], lease.again, lease.again.stateSeq)),
  ];
  return {
    records: wanted,
    hasStates: states.length > 0,
    cursor: { position: seqOf(events.at(-1), cursor.position), stateSeq: seqOf(states.at(-1), cursor.stateSeq) },
    last: events.length < limit && states.length < limit,
  };
}

const seqOf = (row: Row | undefined, otherwise: number): number => (row === undefined ? otherwise : Number(row.seq));

const isWanted = (topic: string, row: Row | undefined, again: Again, until: number): boolean =>
  again.topics === null || Number(row?.seq) > until || again.topics.includes(topic);

const stateRecord = ({ tenant }: Lease, { name, key, version, body }: Row): OutgoingRecord => ({
  topic: name,
  key,
  value: body === null ? null : Buffer.from(body),
  headers: { 'weir-version': version, 'weir-tenant': tenant, 'content-type': 'application/json' },
});

function eventRecord({ tenant }: Lease, row: Row): OutgoingRecord {
  const contract = EVENTS.get(row.name);
  if (contract === undefined) throw new TypeError(`no contract for the event ${row.name}`);
  return toRecord({
    id: row.event_id ?? '',
    type: row.name,
    source: `/weir/tenants/${tenant}`,
    subject: row.key,
    time: row.occurred_at,
    topic: contract.topic,
    key: `${tenant}/${row.key}`,
    data: Buffer.from(row.body ?? ''),
    tenantId: tenant,
    schemaVersion: row.schema_version,
    position: Number(row.seq),
    streamVersion: Number(row.version),
    actor: row.actor,
    causationId: row.causation_id,
    correlationId: row.correlation_id,
    chainHash: row.chain_hash,
  });
}

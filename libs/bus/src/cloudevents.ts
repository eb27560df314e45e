import type { BusRecord, OutgoingRecord } from './port';

/** An event as CloudEvents 1.0 carries it in Kafka's binary mode: attributes as `ce_` headers, the data as the value. */
export interface CloudEvent {
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly subject: string;
  /** RFC 3339 */
  readonly time: string;
  readonly topic: string;
  readonly key: string;
  readonly data: Buffer;
  readonly tenantId: string;
  readonly schemaVersion: number;
  readonly position: number;
  readonly streamVersion: number;
  readonly actor: string;
  readonly causationId: string | null;
  readonly correlationId: string | null;
  /** Chain hash of the log up to this event, hex: whoever keeps it can tell later whether the log was written anew. */
  readonly chainHash?: string | undefined;
}

export function toRecord(event: CloudEvent): OutgoingRecord {
  const headers: Record<string, string> = {
    ce_specversion: '1.0',
    ce_id: event.id,
    ce_type: event.type,
    ce_source: event.source,
    ce_subject: event.subject,
    ce_time: event.time,
    'content-type': 'application/json',
    ce_weirtenant: event.tenantId,
    ce_weirversion: String(event.schemaVersion),
    ce_weirposition: String(event.position),
    ce_weirstreamversion: String(event.streamVersion),
    ce_weiractor: event.actor,
  };
  if (event.causationId !== null) headers['ce_weircausation'] = event.causationId;
  if (event.correlationId !== null) headers['ce_weircorrelation'] = event.correlationId;
  if (event.chainHash !== undefined) headers['ce_weirchain'] = event.chainHash;
  return { topic: event.topic, key: event.key, value: event.data, headers };
}

/** undefined for a record that is not a CloudEvent of ours. */
export function fromRecord(record: BusRecord): CloudEvent | undefined {
  const { headers, value } = record;
  if (headers['ce_id'] === undefined || headers['ce_type'] === undefined || value === null) return undefined;
  return {
    id: headers['ce_id'],
    type: headers['ce_type'],
    source: headers['ce_source'] ?? '',
    subject: headers['ce_subject'] ?? '',
    time: headers['ce_time'] ?? '',
    topic: record.topic,
    key: record.key,
    data: value,
    tenantId: headers['ce_weirtenant'] ?? '',
    schemaVersion: Number(headers['ce_weirversion'] ?? 1),
    position: Number(headers['ce_weirposition'] ?? 0),
    streamVersion: Number(headers['ce_weirstreamversion'] ?? 0),
    actor: headers['ce_weiractor'] ?? '',
    causationId: headers['ce_weircausation'] ?? null,
    correlationId: headers['ce_weircorrelation'] ?? null,
    chainHash: headers['ce_weirchain'],
  };
}

import type { StoredEvent } from '@weir/audit-format';
import type { Actor, TenantId } from '@weir/kernel';

export interface EventRow {
  tenant_id: string;
  position: string;
  event_id: string;
  stream: string;
  version: number;
  type: string;
  schema_version: number;
  data: string;
  occurred_at: string;
  recorded_at: string;
  author: string;
  actor_type: string;
  actor_id: string;
  action: string;
  reason: string | null;
  request_id: string | null;
  causation_id: string | null;
  correlation_id: string | null;
  command_id: string;
  content_hash: string;
  chain_hash: string;
}

export const EVENT_COLUMNS = `tenant_id, position, event_id, stream, version, type, schema_version, data,
  weir.rfc3339(occurred_at) as occurred_at, weir.rfc3339(recorded_at) as recorded_at, author, actor_type, actor_id, action, reason,
  request_id, causation_id, correlation_id, command_id, encode(content_hash, 'hex') as content_hash, encode(chain_hash, 'hex') as chain_hash`;

export const toEvent = (row: EventRow): StoredEvent => ({
  tenantId: row.tenant_id as TenantId,
  position: Number(row.position),
  eventId: row.event_id,
  stream: row.stream,
  version: row.version,
  type: row.type,
  schemaVersion: row.schema_version,
  data: JSON.parse(row.data) as unknown,
  bytes: row.data,
  occurredAt: row.occurred_at,
  recordedAt: row.recorded_at,
  author: row.author,
  actor: { type: row.actor_type as Actor['type'], id: row.actor_id },
  action: row.action,
  reason: row.reason,
  requestId: row.request_id,
  causationId: row.causation_id,
  correlationId: row.correlation_id,
  commandId: row.command_id,
  contentHash: row.content_hash,
  chainHash: row.chain_hash,
});

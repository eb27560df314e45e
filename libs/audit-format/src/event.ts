import type { Actor, Fact, TenantId } from '@weir/kernel';

/** An event as it stands in a tenant's log. */
export interface StoredEvent<F extends Fact = Fact> {
  readonly tenantId: TenantId;
  /** Gapless per tenant, in commit order, from 1. */
  readonly position: number;
  readonly eventId: string;
  readonly stream: string;
  /** Within the stream, from 1. */
  readonly version: number;
  readonly type: F['type'];
  readonly schemaVersion: number;
  readonly data: F['data'];
  /** `data` as it was hashed: canonical JSON. */
  readonly bytes: string;
  /** RFC 3339, UTC, microseconds. */
  readonly occurredAt: string;
  readonly recordedAt: string;
  /** The database login that wrote it, set by the database. */
  readonly author: string;
  readonly actor: Actor;
  readonly action: string;
  readonly reason: string | null;
  readonly requestId: string | null;
  readonly causationId: string | null;
  readonly correlationId: string | null;
  readonly commandId: string;
  /** SHA-256, hex. */
  readonly contentHash: string;
  readonly chainHash: string;
}

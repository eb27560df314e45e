import { hash } from 'node:crypto';
import type { TenantId } from '@weir/kernel';
import type { StoredEvent } from './event';

/**
 * The chain of a log: content = SHA-256 of what the writer says of an event, as netstrings; link = SHA-256 of the link before, the
 * content, and what the log says: place, time and author. docs/audit-format.md. The writer takes the first in here and weir.append the
 * second in SQL; here both are computed again from what was read.
 */
export const genesis = (tenant: TenantId): string => sha256(netstring('weir-chain-1') + netstring(tenant)).toString('hex');

/** What the writer of an event says of it. */
export type Content = Omit<StoredEvent, 'position' | 'version' | 'data' | 'recordedAt' | 'author' | 'contentHash' | 'chainHash'>;

export const contentHash = (event: Content): string => contentDigest(event).toString('hex');

export function contentDigest(event: Content): Buffer {
  return sha256(
    netstring('weir-event-1') +
      netstring(event.tenantId) +
      netstring(event.eventId) +
      netstring(event.stream) +
      netstring(event.type) +
      netstring(String(event.schemaVersion)) +
      netstring(event.occurredAt) +
      netstring(event.actor.type) +
      netstring(event.actor.id) +
      netstring(event.action) +
      netstring(event.reason) +
      netstring(event.requestId) +
      netstring(event.causationId) +
      netstring(event.correlationId) +
      netstring(event.commandId) +
      netstring(event.bytes),
  );
}

/** @param before and content 32 bytes each */
function linkOf(before: Buffer, content: Buffer, { position, version, recordedAt, author }: StoredEvent): Buffer {
  const place = Buffer.alloc(12);
  place.writeBigInt64BE(BigInt(position));
  place.writeInt32BE(version, 8);
  return sha256(Buffer.concat([before, content, place, Buffer.from(netstring(recordedAt) + netstring(author))]));
}

export type BreakKind = 'gap' | 'out-of-order' | 'content-altered' | 'chain-broken';
export type Break = { readonly position: number; readonly what: BreakKind };

/** The end of a chain: a position and the chain hash there. */
export interface Link {
  readonly position: number;
  /** hex */
  readonly head: string;
}

export interface ChainState extends Link {
  readonly events: number;
  readonly firstBreak: Break | undefined;
}

export const chainStart = (tenant: TenantId): ChainState => ({ position: 0, head: genesis(tenant), events: 0, firstBreak: undefined });

/** Follows a chain over the next events in order; the first thing wrong is kept. */
export const follow = (state: ChainState, events: readonly StoredEvent[]): ChainState => events.reduce(step, state);

function step(state: ChainState, event: StoredEvent): ChainState {
  const { head, what } = examine(state, event);
  return {
    position: event.position,
    head,
    events: state.events + 1,
    firstBreak: state.firstBreak ?? (what === undefined ? undefined : { position: event.position, what }),
  };
}

/** Whether an event is the next of a chain that ends at `before`, and the chain's end with it as computed from what the event says. */
export function examine(before: Link, event: StoredEvent): { head: string; what: BreakKind | undefined } {
  const content = contentDigest(event);
  const head = linkOf(Buffer.from(before.head, 'hex'), content, event).toString('hex');
  return { head, what: whatIsWrong(before.position, event, content.toString('hex'), head) };
}

function whatIsWrong(before: number, event: StoredEvent, content: string, head: string): BreakKind | undefined {
  if (event.position <= before) return 'out-of-order';
  if (event.position !== before + 1) return 'gap';
  if (content !== event.contentHash) return 'content-altered';
  return head === event.chainHash ? undefined : 'chain-broken';
}

const netstring = (value: string | null): string => (value === null ? '-,' : `${Buffer.byteLength(value)}:${value},`);
const sha256 = (data: string | Buffer): Buffer => hash('sha256', data, 'buffer');

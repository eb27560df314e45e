import { createHash } from 'node:crypto';
import type { TenantId } from '@weir/kernel';
import type { StoredEvent } from './event';

/**
 * The chain of a log: content = SHA-256 of the event's fields as netstrings, link = SHA-256(link before ‖ content). weir.append
 * computes the same in SQL; here it is computed again from what was read.
 */
export const genesis = (tenant: TenantId): string => sha256(netstring('weir-chain-1') + netstring(tenant)).toString('hex');

export function contentHash(event: StoredEvent): string {
  const fields = [
    'weir-event-1',
    event.tenantId,
    String(event.position),
    event.eventId,
    event.stream,
    String(event.version),
    event.type,
    String(event.schemaVersion),
    event.occurredAt,
    event.recordedAt,
    event.author,
    event.actor.type,
    event.actor.id,
    event.action,
    event.reason,
    event.requestId,
    event.causationId,
    event.correlationId,
    event.commandId,
    event.bytes,
  ];
  return sha256(fields.map(netstring).join('')).toString('hex');
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
  const content = contentHash(event);
  const head = sha256(Buffer.concat([Buffer.from(before.head, 'hex'), Buffer.from(content, 'hex')])).toString('hex');
  return { head, what: whatIsWrong(before.position, event, content, head) };
}

function whatIsWrong(before: number, event: StoredEvent, content: string, head: string): BreakKind | undefined {
  if (event.position <= before) return 'out-of-order';
  if (event.position !== before + 1) return 'gap';
  if (content !== event.contentHash) return 'content-altered';
  return head === event.chainHash ? undefined : 'chain-broken';
}

const netstring = (value: string | null): string => (value === null ? '-,' : `${Buffer.byteLength(value)}:${value},`);
const sha256 = (data: string | Buffer): Buffer => createHash('sha256').update(data).digest();

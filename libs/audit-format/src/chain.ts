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

export type Break = { readonly position: number; readonly what: 'gap' | 'content-altered' | 'chain-broken' };

export interface ChainState {
  readonly position: number;
  readonly head: string;
  readonly events: number;
  readonly firstBreak: Break | undefined;
}

export const chainStart = (tenant: TenantId): ChainState => ({ position: 0, head: genesis(tenant), events: 0, firstBreak: undefined });

/** Follows a chain over the next events in order; the first thing wrong is kept. */
export const follow = (state: ChainState, events: readonly StoredEvent[]): ChainState => events.reduce(step, state);

function step(state: ChainState, event: StoredEvent): ChainState {
  const content = contentHash(event);
  const head = sha256(Buffer.concat([Buffer.from(state.head, 'hex'), Buffer.from(content, 'hex')])).toString('hex');
  const what =
    event.position !== state.position + 1
      ? 'gap'
      : content !== event.contentHash
        ? 'content-altered'
        : head !== event.chainHash
          ? 'chain-broken'
          : undefined;
  return {
    position: event.position,
    head,
    events: state.events + 1,
    firstBreak: state.firstBreak ?? (what === undefined ? undefined : { position: event.position, what }),
  };
}

const netstring = (value: string | null): string => (value === null ? '-,' : `${Buffer.byteLength(value)}:${value},`);
const sha256 = (data: string | Buffer): Buffer => createHash('sha256').update(data).digest();

import type { Break, ChainState } from '@weir/event-store';
import type { WitnessedHead } from '../witness/witness';

/**
 * What is wrong first, and where:
 * - `gap`: a position is missing or out of order; `content-altered`: an event is not what was hashed; `chain-broken`: its link is not
 * - `truncated`: the log ends before its head, or before what the bus has seen of it
 * - `beyond-head`: events that no append put there
 * - `rewritten`: a chain that agrees with itself and not with its head, or with what the bus has seen: at this position or before it
 */
export interface Finding {
  readonly position: number;
  readonly what: Break['what'] | 'truncated' | 'beyond-head' | 'rewritten';
}

/** What the log's own head row says: the end of the last append. */
export interface LogHead {
  readonly position: number;
  /** hex */
  readonly chainHash: string;
}

export interface Evidence {
  /** The chain, followed from genesis to the last event. */
  readonly chain: ChainState;
  readonly head: LogHead;
  readonly witnessed: WitnessedHead | undefined;
  /** The event that stands where the bus saw one; undefined when none does. */
  readonly atWitnessed: { readonly eventId: string; readonly chainHash: string } | undefined;
}

/** undefined when all of it agrees. */
export function firstFinding({ chain, head, witnessed, atWitnessed }: Evidence): Finding | undefined {
  if (chain.firstBreak !== undefined) return chain.firstBreak;
  const { position } = chain;
  if (position < Math.max(head.position, witnessed?.position ?? 0)) return { position: position + 1, what: 'truncated' };
  if (position > head.position) return { position: head.position + 1, what: 'beyond-head' };
  if (witnessed !== undefined && !agrees(witnessed, atWitnessed)) return { position: witnessed.position, what: 'rewritten' };
  return chain.head === head.chainHash ? undefined : { position, what: 'rewritten' };
}

const agrees = (witnessed: WitnessedHead, found: Evidence['atWitnessed']): boolean =>
  found !== undefined && found.eventId === witnessed.eventId && (witnessed.chainHash === undefined || witnessed.chainHash === found.chainHash);

import type { BreakKind, ChainState } from './chain';
import type { StoredEvent } from './event';

/**
 * What is wrong first, and where:
 * - `gap`: a position is missing; `content-altered`: an event is not what was hashed; `chain-broken`: its link is not
 * - `out-of-order`: a position that comes after a later one; of exports alone, since a table is read in the order of positions
 * - `truncated`: the log ends before its head, or before what the bus has seen of it
 * - `beyond-head`: events that no append put there
 * - `rewritten`: a chain that agrees with itself and not with its head, or with what the bus has seen: at this position or before it
 */
export interface Finding {
  readonly position: number;
  readonly what: BreakKind | 'truncated' | 'beyond-head' | 'rewritten';
}

/** What the log's own head row says: the end of the last append. */
export interface LogHead {
  readonly position: number;
  /** hex */
  readonly chainHash: string;
}

/** What the bus showed of a log at one position. */
export interface WitnessedHead {
  readonly position: number;
  readonly eventId: string;
  /** hex; undefined when nobody said it. */
  readonly chainHash: string | undefined;
  /** ms */
  readonly at: number;
}

export interface Evidence {
  /** The chain, followed from genesis to the last event. */
  readonly chain: ChainState;
  readonly head: LogHead;
  /** The furthest that the bus saw. */
  readonly witnessed: { readonly position: number } | undefined;
  /** The first position at which the bus saw another event, or another chain. */
  readonly disagreement: number | undefined;
}

/** undefined when all of it agrees. */
export function firstFinding({ chain, head, witnessed, disagreement }: Evidence): Finding | undefined {
  if (chain.firstBreak !== undefined) return chain.firstBreak;
  if (disagreement !== undefined) return { position: disagreement, what: 'rewritten' };
  const { position } = chain;
  if (position < Math.max(head.position, witnessed?.position ?? 0)) return { position: position + 1, what: 'truncated' };
  if (position > head.position) return { position: head.position + 1, what: 'beyond-head' };
  return chain.head === head.chainHash ? undefined : { position, what: 'rewritten' };
}

/** Where a page of a log is first not what the bus saw. */
export function firstDisagreement(page: readonly StoredEvent[], seen: readonly WitnessedHead[]): number | undefined {
  const byPosition = new Map(page.map((event) => [event.position, event]));
  return seen.find((head) => {
    const event = byPosition.get(head.position);
    return (
      event !== undefined &&
      (event.eventId !== head.eventId || (head.chainHash !== undefined && head.chainHash !== event.chainHash))
    );
  })?.position;
}

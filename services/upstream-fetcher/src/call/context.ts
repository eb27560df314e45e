import type { Usage } from '@weir/contracts';
import type { RequestId } from '@weir/kernel';
import type { Pass, Priority } from '@weir/limiter';
import type { Shown } from './answer';
import type { Caller } from './access';
import type { Asked } from './catalog';
import type { KeyChoice } from './key-choice';
import type { Shadow } from './shadow';
import type { Ticket } from './ticket';

/** One call that is known and allowed in principle; what the steps from 3 on work with. */
export interface Call extends Caller, Asked {
  readonly requestId: RequestId;
  readonly keys: KeyChoice;
  readonly priority: Priority;
  /** Of an earlier refusal: a slot of an upstream key that was kept for this call. */
  readonly ticket?: Ticket | undefined;
  /** Aborted when the caller has gone; asked for by whoever holds it. */
  readonly gone?: (() => AbortSignal) | undefined;
  /** Until when the caller is held rather than refused by a limit; ms since the epoch. */
  readonly waitUntil: number;
  /** When the caller waits no longer, whatever for; ms since the epoch, or Infinity. */
  readonly deadline: number;
  readonly shown: Shown;
}

/** A call that admission let in, and what it holds. A retry on another key may have to enter again. */
export interface AdmittedCall extends Call {
  pass: Pass;
  /** Whether anything of it went to the upstream: then its slot in the tenant's bucket is spent. */
  sent: boolean;
  /** What an upstream key keeps for it: of several keys' slots, the earliest. */
  slot: KeptSlot | undefined;
  /** Without a slot: when a key's limit allows it again, the earliest; ms since the epoch. */
  againAt: number | undefined;
  /** How long it has been held for limits, not yet counted; ms. */
  heldMs: number;
  /** What its tenant's shadow policies make of it; undefined: there are none. */
  shadow: Shadow | undefined;
  /** Of a call under an Idempotency-Key: what it charges, which is published when its answer is kept. */
  charges: Charge[] | undefined;
}

export interface KeptSlot extends Ticket {
  /** Whether the call is admitted then for certain, if it comes with the ticket. */
  readonly promised: boolean;
  /** ms since the epoch */
  readonly dueAt: number;
}

/** The record of a charge, and the same where the tenant turns out not to pay. */
export interface Charge {
  readonly charged: Usage;
  readonly free: Usage;
}

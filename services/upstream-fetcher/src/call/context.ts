import type { RequestId } from '@weir/kernel';
import type { Pass } from '@weir/limiter';
import type { Shown } from './answer';
import type { Caller } from './access';
import type { Asked } from './catalog';
import type { KeyChoice } from './key-choice';

/** One call that is known and allowed in principle; what the steps from 3 on work with. */
export interface Call extends Caller, Asked {
  readonly requestId: RequestId;
  readonly keys: KeyChoice;
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
}

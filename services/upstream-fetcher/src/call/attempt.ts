import type { AdmittedCall } from './context';
import type { Candidate } from './key-choice';

/** One attempt to call the upstream: its id is `requestId/number`, and it has a hold and a settlement of its own. */
export interface Attempt {
  readonly call: AdmittedCall;
  readonly number: number;
  readonly candidate: Candidate;
  readonly keyVersion: number;
  /** The caller's deadline comes before the end of the time that the upstream has: its passing says nothing of the upstream. */
  readonly hurried: boolean;
}

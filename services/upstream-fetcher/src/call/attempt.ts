import { newUuid } from '@weir/kernel';
import type { UsageOf } from '@weir/contracts';
import type { AdmittedCall, Call } from './context';
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

type Shared<K extends 'held' | 'served'> = Omit<UsageOf<K>, 'kind' | 'upstreamCredits' | 'chargedCredits' | 'cache'>;

/** What all usage records of a call say. */
export const usageOfCall = (call: Call, at: number): Omit<Shared<'served'>, 'keyOwner'> => ({
  eventId: newUuid(at),
  tenantId: call.tenant.id,
  projectId: call.projectId,
  tokenId: call.tokenId,
  requestId: call.requestId,
  endpoint: call.endpoint.id,
  priceVersion: `${call.plan.id}@${call.plan.version}`,
  at,
  mode: call.mode,
  keyMode: call.tenant.keyMode,
});

export const usageOfAttempt = ({ call, number, candidate, keyVersion }: Attempt, at: number): Shared<'held'> => ({
  ...usageOfCall(call, at),
  attempt: number,
  purpose: call.purpose,
  keyId: candidate.key.id,
  keyVersion,
  keyOwner: candidate.owner,
});

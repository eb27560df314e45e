import type { OutgoingRecord } from '@weir/bus';
import type { UpstreamSignal, UsageOf } from '@weir/contracts';
import { newUuid } from '@weir/kernel';
import { signalRecord, usageRecord } from '../usage/records';
import { usageOfAttempt, usageOfCall, type Attempt } from './attempt';
import type { Call } from './context';
import type { KeyOwner } from './key-choice';

export type Settlement = Pick<UsageOf<'settled'>, 'upstreamStatus' | 'upstreamCredits' | 'chargedCredits'>;

/** What the upstream took and the tenant does not pay is Weir's loss: absorbed. */
export const settled = (attempt: Attempt, at: number, settlement: Settlement): UsageOf<'settled'> => ({
  kind: 'settled',
  ...usageOfAttempt(attempt, at),
  ...settlement,
  cache: 'miss',
  difference: settlement.upstreamCredits === settlement.chargedCredits ? null : 'absorbed',
});

/** The same where the tenant does not pay after all. */
export const absorbed = (settlement: UsageOf<'settled'>): UsageOf<'settled'> => ({ ...settlement, chargedCredits: 0, difference: 'absorbed' });

/** Nothing was sent: the hold is void. */
export const released = (attempt: Attempt, at: number): OutgoingRecord =>
  usageRecord({ kind: 'released', ...usageOfAttempt(attempt, at), upstreamCredits: 0, chargedCredits: 0 });

/** An answer that needed no attempt of its own. */
export const served = (
  call: Call,
  at: number,
  how: { cache: 'hit' | 'coalesced' | 'stale'; keyOwner: KeyOwner; chargedCredits: number },
): UsageOf<'served'> => ({ kind: 'served', ...usageOfCall(call, at), ...how, upstreamCredits: 0 });

/** What the upstream said of the key, for those who decide about keys and ceilings. */
export const signalled = (
  { call, candidate: { key }, keyVersion }: Attempt,
  at: number,
  signal: UpstreamSignal['signal'],
  heard: Partial<Pick<UpstreamSignal, 'retryAfterMs' | 'statedPerMinute'>> = {},
): OutgoingRecord =>
  signalRecord({
    eventId: newUuid(at),
    keyId: key.id,
    keyVersion,
    owner: key.owner,
    tenantId: call.tenant.id,
    signal,
    endpoint: call.endpoint.id,
    retryAfterMs: null,
    requestId: call.requestId,
    at,
    ...heard,
  });

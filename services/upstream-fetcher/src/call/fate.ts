import type { OutgoingRecord } from '@weir/bus';
import type { UpstreamSignal, UsageOf } from '@weir/contracts';
import { newUuid } from '@weir/kernel';
import { signalRecord, usageRecord } from '../usage/records';
import type { Attempt } from './attempt';
import type { Call } from './context';
import type { KeyOwner } from './key-choice';
import { UsageOfAttempt, UsageOfCall } from './usage-of';

/** Before the call leaves: what it will cost at most. */
export class Held extends UsageOfAttempt implements UsageOf<'held'> {
  readonly kind = 'held';

  constructor(
    attempt: Attempt,
    at: number,
    readonly upstreamCredits = attempt.call.endpoint.credits,
    readonly chargedCredits = upstreamCredits,
  ) {
    super(attempt, at);
  }
}

/** What the upstream took and the tenant does not pay is Weir's loss: absorbed. */
export class Settled extends UsageOfAttempt implements UsageOf<'settled'> {
  readonly kind = 'settled';
  readonly cache = 'miss';
  readonly difference: UsageOf<'settled'>['difference'];

  constructor(
    attempt: Attempt,
    at: number,
    readonly upstreamStatus: number | null,
    readonly upstreamCredits: number,
    readonly chargedCredits: number,
  ) {
    super(attempt, at);
    this.difference = upstreamCredits === chargedCredits ? null : 'absorbed';
  }
}

/** The same where the tenant does not pay after all. */
export const absorbed = (settlement: UsageOf<'settled'>): UsageOf<'settled'> => ({ ...settlement, chargedCredits: 0, difference: 'absorbed' });

/** Nothing was sent: the hold is void. */
export const released = (attempt: Attempt, at: number): OutgoingRecord =>
  usageRecord({ kind: 'released', ...new UsageOfAttempt(attempt, at), upstreamCredits: 0, chargedCredits: 0 });

/** An answer that needed no attempt of its own. */
export class Served extends UsageOfCall implements UsageOf<'served'> {
  readonly kind = 'served';
  readonly upstreamCredits = 0;

  constructor(
    call: Call,
    at: number,
    readonly cache: 'hit' | 'coalesced' | 'stale',
    readonly keyOwner: KeyOwner,
    readonly chargedCredits: number,
  ) {
    super(call, at);
  }
}

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

import { unreachable, type AppError, type Clock } from '@weir/kernel';
import { creditsFor } from '@weir/upstream-catalog';
import { deadlinePassed, ownKeyDepleted, ownKeyInvalid, upstreamFailed, upstreamRateLimited, upstreamTimeout } from '../errors';
import type { FetcherMetrics } from '../metrics';
import type { Breaker } from '../upstream/breaker';
import type { DriftWatch } from '../upstream/drift-watch';
import type { KeyRest } from '../upstream/key-rest';
import type { StatedRates } from '../upstream/stated-rates';
import type { Journal } from '../usage/journal';
import { usageRecord } from '../usage/records';
import type { Attempt } from './attempt';
import type { KeptAnswer } from './cache';
import { classify, type Received } from './classify';
import { absorbed, released, Settled, signalled } from './fate';
import { noPlatformKey, type KeyOwner } from './key-choice';
import type { Reply } from './upstream';

/** What a miss brought back. */
export interface Fetched extends KeptAnswer {
  readonly owner: KeyOwner;
  readonly chargedCredits: number;
  /** As the catalog promises it: it may be kept. */
  readonly good: boolean;
}

/** What came of one attempt: an answer; the same key once more; another key, if there is one; or nothing that another try would mend. */
export type Outcome =
  | { readonly is: 'fetched'; readonly fetched: Fetched }
  | { readonly is: 'again'; readonly error: AppError; readonly pauseMs?: number; readonly orElse: 'next' | 'over' }
  | { readonly is: 'next'; readonly error: AppError }
  | { readonly is: 'over'; readonly error: AppError };

export interface SettleParts {
  readonly journal: Journal;
  readonly breaker: Breaker;
  readonly rest: KeyRest;
  readonly rates: StatedRates;
  /** Lets no process call with the key for so long. */
  readonly pauseKey: (keyId: string, ms: number) => void;
  readonly drift: DriftWatch;
  readonly metrics: FetcherMetrics;
  readonly clock: Clock;
  readonly random: () => number;
}

/** A 429 that ends sooner is waited for, where the retry budget allows it. */
const SHORT_WAIT_MS = 1_000;

/**
 * Step 9: what became of an attempt goes on the bus, and what follows from it for the call. Nothing here is waited for.
 *
 * An attempt whose fate nobody knows (a timeout, a cut connection) gets no settlement: its hold stays open, metering makes it
 * 'unsettled' in time, and reconciliation decides it. The tenant had no answer and does not pay for it.
 */
export function createSettle(parts: SettleParts): (attempt: Attempt, reply: Reply) => Outcome {
  const { journal, breaker, rest, rates, pauseKey, drift, metrics, clock, random } = parts;

  return function settle(attempt, reply) {
    const { call, candidate } = attempt;
    metrics.attempts.set(reply.is, (metrics.attempts.get(reply.is) ?? 0) + 1);
    if (reply.is === 'received') return judged(attempt, reply);
    if (reply.is === 'unusable') return wasted(attempt, reply.status, reply.why);
    const tooLate = reply.is === 'timeout' || (reply.is === 'not-sent' && reply.timedOut);
    if (!tooLate || !attempt.hurried) breaker.failed(candidate.key.id, call.endpoint.id);
    if (reply.is === 'not-sent') journal.write(released(attempt, clock()));
    if (tooLate && attempt.hurried) return { is: 'over', error: deadlinePassed() };
    switch (reply.is) {
      case 'not-sent':
        return { is: 'again', error: reply.timedOut ? upstreamTimeout() : upstreamFailed(reply.why), orElse: 'over' };
      case 'timeout':
        return { is: 'over', error: upstreamTimeout() };
      case 'cut':
        return { is: 'over', error: upstreamFailed(reply.why) };
      default:
        return unreachable(reply);
    }
  };

  function judged(attempt: Attempt, received: Received): Outcome {
    const { catalog, endpoint } = attempt.call;
    const { key, owner } = attempt.candidate;
    const { status } = received;
    const now = clock();
    const verdict = classify(catalog, endpoint, received, now);
    if (verdict.is !== 'failed') breaker.succeeded(key.id, endpoint.id);
    const stated = rates.news(key.id, received.statedRate);
    if (stated !== undefined) journal.write(signalled(attempt, now, 'rate-stated', { statedPerMinute: stated }));

    switch (verdict.is) {
      case 'answer':
        if (rest.clear(key.id)) journal.write(signalled(attempt, now, 'accepted'));
        drift.look(catalog, endpoint, verdict.parsed, attempt.call.requestId);
        return { is: 'fetched', fetched: charged(attempt, received, now, verdict.parsed) };
      case 'passed-on':
        return { is: 'fetched', fetched: charged(attempt, received, now) };
      case 'unauthorized':
      case 'depleted':
        pay(attempt, status, 0, 0);
        rest.doubt(key.id);
        journal.write(signalled(attempt, now, verdict.is));
        if (owner === 'platform') return { is: 'next', error: noPlatformKey() };
        return { is: 'next', error: verdict.is === 'depleted' ? ownKeyDepleted() : ownKeyInvalid() };
      case 'rate-limited': {
        pay(attempt, status, 0, 0);
        const { ms, stated: believed } = verdict.retryAfter;
        journal.write(signalled(attempt, now, 'rate-limited', { retryAfterMs: ms }));
        pauseKey(key.id, ms);
        const error = upstreamRateLimited(ms);
        if (believed && ms <= SHORT_WAIT_MS) return { is: 'again', error, pauseMs: ms + random() * 100, orElse: 'next' };
        rest.pause(key.id, ms);
        return { is: 'next', error };
      }
      case 'failed':
        pay(attempt, status, creditsFor(endpoint, status), 0);
        breaker.failed(key.id, endpoint.id);
        return { is: verdict.retryable ? 'again' : 'over', error: upstreamFailed(verdict.why), orElse: 'over' };
      case 'unintelligible':
        if (verdict.mismatches.length > 0) drift.tell(catalog, endpoint, verdict.mismatches, attempt.call.requestId);
        return wasted(attempt, status, verdict.why);
      default:
        return unreachable(verdict);
    }
  }

  /** An answer that the tenant gets and pays for, as the catalog says of its status. */
  function charged(attempt: Attempt, { status, body, contentType }: Received, now: number, parsed?: unknown): Fetched {
    const { endpoint } = attempt.call;
    const credits = creditsFor(endpoint, status);
    const settlement = new Settled(attempt, now, status, credits, credits);
    if (attempt.call.charges === undefined) journal.write(usageRecord(settlement));
    else attempt.call.charges.push({ charged: settlement, free: absorbed(settlement) });
    const good = parsed !== undefined;
    return {
      status,
      body,
      contentType: contentType ?? 'application/json',
      fetchedAt: now,
      owner: attempt.candidate.owner,
      chargedCredits: credits,
      good,
    };
  }

  /** The upstream took its credits for something that nobody can use: the tenant does not pay, nothing is kept, no retry pays again. */
  function wasted(attempt: Attempt, status: number, why: string): Outcome {
    pay(attempt, status, creditsFor(attempt.call.endpoint, status), 0);
    return { is: 'over', error: upstreamFailed(why) };
  }

  function pay(attempt: Attempt, upstreamStatus: number, upstreamCredits: number, chargedCredits: number): void {
    journal.write(usageRecord(new Settled(attempt, clock(), upstreamStatus, upstreamCredits, chargedCredits)));
  }
}

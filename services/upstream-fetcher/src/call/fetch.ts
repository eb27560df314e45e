import type { TokenMode } from '@weir/access';
import type { Envelope } from '@weir/envelope';
import { AppError, sleep, unreachable, type Clock } from '@weir/kernel';
import { creditsFor, type Catalog } from '@weir/upstream-catalog';
import { keyNotOpened, ownKeyDepleted, ownKeyInvalid, upstreamFailed, upstreamRateLimited, upstreamTimeout } from '../errors';
import type { FetcherMetrics } from '../metrics';
import { userIn } from '../snapshot/user-snapshot';
import type { Breaker } from '../upstream/breaker';
import type { KeyRest } from '../upstream/key-rest';
import { retryPauseMs, type RetryBudget } from '../upstream/retry-budget';
import type { Journal } from '../usage/journal';
import type { Admission } from './admission';
import type { Attempt } from './attempt';
import type { KeptAnswer } from './cache';
import { classify } from './classify';
import type { AdmittedCall } from './context';
import { hold } from './hold';
import { openKey } from './key';
import { noPlatformKey, type Candidate, type KeyOwner } from './key-choice';
import { released, settled, signalled } from './settle';
import type { Reply, Upstream } from './upstream';

/** What a miss brought back. */
export interface Fetched extends KeptAnswer {
  readonly owner: KeyOwner;
  readonly chargedCredits: number;
  /** As the catalog promises it: it may be kept. */
  readonly good: boolean;
}

export interface FetchParts {
  readonly catalog: Catalog;
  readonly admission: Admission;
  readonly envelope: Envelope;
  readonly journal: Journal;
  /** By the token's mode. */
  readonly upstreams: Readonly<Record<TokenMode, Upstream>>;
  readonly breaker: Breaker;
  readonly rest: KeyRest;
  readonly budget: RetryBudget;
  readonly metrics: FetcherMetrics;
  readonly clock: Clock;
  readonly random: () => number;
}

/** What came of one attempt: an answer; the same key once more; another key, if there is one; or nothing that another try would mend. */
type Outcome =
  | { readonly is: 'fetched'; readonly fetched: Fetched }
  | { readonly is: 'again'; readonly error: AppError; readonly pauseMs?: number; readonly orElse: 'next' | 'over' }
  | { readonly is: 'next'; readonly error: AppError }
  | { readonly is: 'over'; readonly error: AppError };

const MOST_RETRIES = 2;
/** A 429 that ends sooner is waited for, where the retry budget allows it. */
const SHORT_WAIT_MS = 1_000;

/** Steps 5 to 9 of a call that the cache could not answer: over its keys, and on each at most two retries. */
export function createFetch(parts: FetchParts): (call: AdmittedCall) => Promise<Fetched> {
  const { catalog, admission, envelope, journal, upstreams, breaker, rest, budget, metrics, clock, random } = parts;

  return async function fetch(call) {
    budget.earn();
    const counter = { entries: 0, attempts: 0, retries: 0 };
    let error: AppError | undefined;
    for (const candidate of doubtfulLast(call.keys.candidates, rest)) {
      const outcome = await useKey(call, candidate, counter);
      if (outcome.is === 'fetched') return outcome.fetched;
      // of several refusals the one that says when it ends is the one to tell
      error = error?.code === 'rate-limited' ? error : outcome.error;
      if (outcome.is === 'over') throw outcome.error;
    }
    throw error ?? call.keys.otherwise();
  };

  async function useKey(call: AdmittedCall, candidate: Candidate, counter: Counter): Promise<Outcome> {
    for (;;) {
      const outcome = await tryOnce(call, candidate, counter);
      if (outcome.is !== 'again') return outcome;
      if (counter.retries >= MOST_RETRIES || !budget.spend()) return { is: outcome.orElse, error: outcome.error };
      counter.retries++;
      await sleep(outcome.pauseMs ?? retryPauseMs(counter.retries, random));
    }
  }

  async function tryOnce(call: AdmittedCall, candidate: Candidate, counter: Counter): Promise<Outcome> {
    const { key } = candidate;
    const pausedMs = rest.pausedMs(key.id);
    if (pausedMs > 0) return { is: 'next', error: upstreamRateLimited(pausedMs) };
    const brokenMs = breaker.waitMs(key.id, call.endpoint.id);
    if (brokenMs > 0) return { is: 'next', error: upstreamFailed('the breaker is open', Math.ceil(brokenMs / 1_000)) };

    try {
      await admission.enterKey(call, candidate, ++counter.entries); //                                    5 admission
    } catch (error) {
      if (error instanceof AppError && error.details['limitedBy'] === 'upstream-key') return { is: 'next', error };
      throw error;
    }

    let open;
    try {
      open = await openKey(envelope, key); //                                                             6 key
    } catch (error) {
      return { is: 'next', error: keyNotOpened(error) };
    }

    const attempt: Attempt = { call, number: ++counter.attempts, candidate, keyVersion: open.version };
    await hold(journal, clock, attempt); //                                                               7 hold

    const ended = metrics.upstream.startTimer({ endpoint: call.endpoint.id });
    const reply = await upstreams[call.mode].send({ //                                                    8 upstream
      path: call.query === '' ? call.endpoint.path : `${call.endpoint.path}?${call.query}`,
      headers: {
        [catalog.auth.header]: open.secret,
        'x-request-id': `${call.requestId}/${attempt.number}`,
        accept: 'application/json',
        'accept-encoding': 'gzip',
      },
    });
    ended();
    return settle(call, attempt, reply); //                                                               9 settle
  }

  function settle(call: AdmittedCall, attempt: Attempt, reply: Reply): Outcome {
    const now = clock();
    metrics.attempts.inc({ outcome: reply.is });
    if (reply.is === 'not-sent') {
      journal.write(released(attempt, now));
      breaker.failed(attempt.candidate.key.id, call.endpoint.id);
      return { is: 'again', error: reply.timedOut ? upstreamTimeout() : upstreamFailed(reply.why), orElse: 'over' };
    }
    call.sent = true;
    switch (reply.is) {
      // whether it was charged is not known: the hold stays open
      case 'timeout':
        breaker.failed(attempt.candidate.key.id, call.endpoint.id);
        return { is: 'over', error: upstreamTimeout() };
      case 'cut':
        breaker.failed(attempt.candidate.key.id, call.endpoint.id);
        return { is: 'over', error: upstreamFailed(reply.why) };
      case 'unusable':
        return absorbed(attempt, reply.status, reply.why, now);
      case 'received':
        return judged(attempt, reply, now);
      default:
        return unreachable(reply);
    }
  }

  function judged(attempt: Attempt, reply: Reply & { is: 'received' }, now: number): Outcome {
    const { call, candidate } = attempt;
    const { endpoint } = call;
    const { key, owner } = candidate;
    const verdict = classify(catalog, endpoint, reply, now);
    const free = () => journal.write(settled(attempt, now, { upstreamStatus: reply.status, upstreamCredits: 0, chargedCredits: 0 }));
    const priced = creditsFor(endpoint, reply.status);
    if (verdict.is !== 'failed') breaker.succeeded(key.id, endpoint.id);

    switch (verdict.is) {
      case 'answer':
      case 'passed-on': {
        journal.write(settled(attempt, now, { upstreamStatus: reply.status, upstreamCredits: priced, chargedCredits: priced }));
        if (verdict.is === 'answer' && rest.clear(key.id)) journal.write(signalled(attempt, now, 'accepted'));
        const good = verdict.is === 'answer';
        const fetched: Fetched = {
          status: reply.status,
          body: reply.body,
          contentType: reply.contentType ?? 'application/json',
          fetchedAt: now,
          owner,
          chargedCredits: priced,
          good,
          user: good ? userIn(endpoint, verdict.parsed) : undefined,
        };
        return { is: 'fetched', fetched };
      }
      case 'unauthorized':
        free();
        rest.doubt(key.id);
        journal.write(signalled(attempt, now, 'unauthorized'));
        return { is: 'next', error: owner === 'own' ? ownKeyInvalid() : noPlatformKey() };
      case 'depleted':
        free();
        rest.doubt(key.id);
        journal.write(signalled(attempt, now, 'depleted'));
        return { is: 'next', error: owner === 'own' ? ownKeyDepleted() : noPlatformKey() };
      case 'rate-limited': {
        free();
        const { ms: waitMs, stated } = verdict.retryAfter;
        journal.write(signalled(attempt, now, 'rate-limited', waitMs));
        const error = upstreamRateLimited(waitMs);
        if (stated && waitMs <= SHORT_WAIT_MS) return { is: 'again', error, pauseMs: waitMs + random() * 100, orElse: 'next' };
        rest.pause(key.id, waitMs);
        return { is: 'next', error };
      }
      case 'failed':
        journal.write(settled(attempt, now, { upstreamStatus: reply.status, upstreamCredits: priced, chargedCredits: 0 }));
        breaker.failed(key.id, endpoint.id);
        return { is: verdict.retryable ? 'again' : 'over', error: upstreamFailed(verdict.why), orElse: 'over' };
      case 'unintelligible':
        return absorbed(attempt, reply.status, verdict.why, now);
      default:
        return unreachable(verdict);
    }
  }

  /** The upstream took its credits for something that nobody can use: the tenant does not pay, nothing is kept, and no retry pays again. */
  function absorbed(attempt: Attempt, status: number, why: string, now: number): Outcome {
    const upstreamCredits = creditsFor(attempt.call.endpoint, status);
    journal.write(settled(attempt, now, { upstreamStatus: status, upstreamCredits, chargedCredits: 0 }));
    return { is: 'over', error: upstreamFailed(why) };
  }
}

interface Counter {
  entries: number;
  attempts: number;
  retries: number;
}

/** A key that was refused a moment ago is no verdict on it, but others of the same owner go first. */
function doubtfulLast(candidates: readonly Candidate[], rest: KeyRest): readonly Candidate[] {
  if (candidates.length < 2 || !candidates.some(({ key }) => rest.doubtful(key.id))) return candidates;
  const doubt = ({ owner, key }: Candidate): number => (owner === 'platform' && rest.doubtful(key.id) ? 1 : 0);
  return candidates.toSorted((a, b) => doubt(a) - doubt(b));
}

import type { TokenMode } from '@weir/access';
import type { Envelope } from '@weir/envelope';
import { AppError, sleep } from '@weir/kernel';
import { keyNotOpened, upstreamFailed, upstreamRateLimited } from '../errors';
import { retryPauseMs, type RetryBudget } from '../upstream/retry-budget';
import type { KeyRest } from '../upstream/key-rest';
import type { Admission } from './admission';
import type { Attempt } from './attempt';
import type { AdmittedCall } from './context';
import { hold } from './hold';
import { openKey } from './key';
import type { Candidate } from './key-choice';
import { createSettle, type Fetched, type Outcome, type SettleParts } from './settle';
import type { Upstream } from './upstream';

export interface FetchParts extends SettleParts {
  readonly admission: Admission;
  readonly envelope: Envelope;
  /** By the token's mode. */
  readonly upstreams: Readonly<Record<TokenMode, Upstream>>;
  readonly budget: RetryBudget;
  /** The process is stopping: nobody is held any longer. */
  readonly stopping: AbortSignal;
}

const MOST_RETRIES = 2;

/** Steps 5 to 9 of a call that the cache could not answer: over its keys, and on each at most two retries. */
export function createFetch(parts: FetchParts): (call: AdmittedCall) => Promise<Fetched> {
  const { catalog, admission, envelope, journal, upstreams, breaker, rest, budget, stopping, metrics, clock, random } = parts;
  const settle = createSettle(parts);

  return async function fetch(call) {
    budget.earn();
    const counter = { entries: 0, attempts: 0, retries: 0 };
    for (;;) {
      const outcome = await overKeys(call, counter);
      if (outcome.is === 'fetched') return outcome.fetched;
      const { error } = outcome;
      const waitMs = error.code === 'rate-limited' ? (error.retryAfter ?? Infinity) * 1_000 : Infinity;
      if (stopping.aborted || clock() + waitMs > call.waitUntil) throw error;
      await sleep(waitMs, stopping);
    }
  };

  async function overKeys(call: AdmittedCall, counter: Counter): Promise<Outcome> {
    let error: AppError | undefined;
    for (const candidate of doubtfulLast(call.keys.candidates, rest)) {
      const outcome = await useKey(call, candidate, counter);
      if (outcome.is !== 'next') return outcome;
      // of several refusals the one that says when it ends is the one to tell
      error = error?.code === 'rate-limited' ? error : outcome.error;
    }
    return { is: 'over', error: error ?? call.keys.otherwise() };
  }

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
      // 5 admission
      await admission.enterKey(call, candidate, ++counter.entries);
    } catch (error) {
      if (error instanceof AppError && error.details['limitedBy'] === 'upstream-key') return { is: 'next', error };
      throw error;
    }

    let open;
    try {
      // 6 key
      open = await openKey(envelope, key);
    } catch (error) {
      return { is: 'next', error: keyNotOpened(error) };
    }

    const attempt: Attempt = { call, number: ++counter.attempts, candidate, keyVersion: open.version };
    // 7 hold
    await hold(journal, clock, attempt);

    const ended = metrics.upstream.startTimer({ endpoint: call.endpoint.id });
    // 8 upstream
    const reply = await upstreams[call.mode].send({
      path: call.query === '' ? call.endpoint.path : `${call.endpoint.path}?${call.query}`,
      headers: {
        [catalog.auth.header]: open.secret,
        'x-request-id': `${call.requestId}/${attempt.number}`,
        accept: 'application/json',
        'accept-encoding': 'gzip',
      },
    });
    ended();
    // whatever else came of it, the upstream may have been asked
    if (reply.is !== 'not-sent') call.sent = true;
    // 9 settle
    return settle(attempt, reply);
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

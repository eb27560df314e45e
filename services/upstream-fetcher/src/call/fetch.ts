import type { TokenMode } from '@weir/access';
import { AppError, sleep } from '@weir/kernel';
import { deadlinePassed, keyNotOpened, upstreamFailed, upstreamRateLimited } from '../errors';
import { retryPauseMs, type RetryBudget } from '../upstream/retry-budget';
import type { KeyRest } from '../upstream/key-rest';
import type { Admission } from './admission';
import type { Attempt } from './attempt';
import type { AdmittedCall } from './context';
import { hold } from './hold';
import type { Keys } from './key';
import type { Candidate } from './key-choice';
import { createSettle, type Fetched, type Outcome, type SettleParts } from './settle';
import type { Upstream } from './upstream';

export interface FetchParts extends SettleParts {
  readonly admission: Admission;
  readonly keys: Keys;
  /** Where calls go: by catalog, and by the token's mode. */
  readonly upstreams: ReadonlyMap<string, Readonly<Record<TokenMode, Upstream>>>;
  /** Of one attempt. */
  readonly timeoutMs: number;
  readonly budget: RetryBudget;
}

const MOST_RETRIES = 2;
/** Refusals after which another key may still do. */
const OF_THE_KEY: ReadonlySet<unknown> = new Set(['upstream-key', 'fair-share', 'upstream']);

/** Steps 5 to 9 of a call that the cache could not answer: over its keys, and on each at most two retries. */
export function createFetch(parts: FetchParts): (call: AdmittedCall) => Promise<Fetched> {
  const { admission, keys, journal, upstreams, timeoutMs, breaker, rest, budget, metrics, clock, random } = parts;
  const settle = createSettle(parts);

  return function fetch(call) {
    budget.earn();
    return untilFetched(call, { entries: 0, attempts: 0, retries: 0 });
  };

  /** Over the keys, and on each of them the retries; one function for both, as each is a promise more for every call. */
  async function untilFetched(call: AdmittedCall, counter: Counter): Promise<Fetched> {
    for (;;) {
      let refusal: AppError | undefined;
      let attempts = counter.attempts;
      for (const candidate of doubtfulLast(call.keys.candidates, rest)) {
        if (counter.attempts > attempts && !mayTryAgain(counter)) break;
        attempts = counter.attempts;
        let outcome = await tryOnce(call, candidate, counter);
        if (outcome.is === 'again') outcome = await tryAgain(call, candidate, counter, outcome);
        if (outcome.is === 'fetched') return outcome.fetched;
        // of several refusals the one that says when it ends is the one to tell
        if (outcome.is === 'over' || refusal?.code !== 'rate-limited') refusal = outcome.error;
        if (outcome.is === 'over') break;
      }
      await admission.hold(call, refusal ?? call.keys.otherwise());
    }
  }

  async function tryAgain(call: AdmittedCall, candidate: Candidate, counter: Counter, first: Again): Promise<Exclude<Outcome, Again>> {
    for (let outcome: Outcome = first; ; outcome = await tryOnce(call, candidate, counter)) {
      if (outcome.is !== 'again') return outcome;
      const pauseMs = outcome.pauseMs ?? retryPauseMs(counter.retries + 1, random);
      if (clock() + pauseMs >= call.deadline || !mayTryAgain(counter)) return { is: outcome.orElse, error: outcome.error };
      await sleep(pauseMs);
    }
  }

  function upstreamOf({ catalog, mode }: AdmittedCall): Upstream {
    const upstream = upstreams.get(catalog.id);
    if (upstream === undefined) throw new Error(`no upstream is configured for the catalog '${catalog.id}'`);
    return upstream[mode];
  }

  /** Whatever follows an attempt that was sent, on the same key or on the next one, is more load than was asked for. */
  function mayTryAgain(counter: Counter): boolean {
    if (counter.retries >= MOST_RETRIES || !budget.spend()) return false;
    counter.retries++;
    return true;
  }

  async function tryOnce(call: AdmittedCall, candidate: Candidate, counter: Counter): Promise<Outcome> {
    const { key } = candidate;
    const pausedMs = rest.pausedMs(key.id);
    if (pausedMs > 0) return { is: 'next', error: upstreamRateLimited(pausedMs) };
    const brokenMs = breaker.waitMs(key.id, call.endpoint.id);
    if (brokenMs > 0) return { is: 'next', error: upstreamFailed('the breaker is open', Math.ceil(brokenMs / 1_000)) };

    try {
      // 5 admission
      const entering = admission.enterKey(call, candidate, ++counter.entries);
      if (entering instanceof Promise) await entering;
    } catch (error) {
      if (error instanceof AppError && OF_THE_KEY.has(error.details['limitedBy'])) return { is: 'next', error };
      throw error;
    }

    let open;
    try {
      // 6 key
      open = keys.opened(key) ?? (await keys.open(key));
    } catch (error) {
      return { is: 'next', error: keyNotOpened(error) };
    }

    const leftMs = call.deadline - clock();
    if (leftMs <= 0) throw deadlinePassed();
    const hurried = leftMs < timeoutMs;
    const attempt: Attempt = { call, number: ++counter.attempts, candidate, keyVersion: open.version, hurried };
    // 7 hold
    const heldFrom = performance.now();
    await hold(journal, clock, attempt);

    const begun = performance.now();
    metrics.holds.observe((begun - heldFrom) / 1_000);
    // 8 upstream
    const reply = await upstreamOf(call).send({
      withinMs: hurried ? leftMs : undefined,
      path: call.query === '' ? call.endpoint.path : `${call.endpoint.path}?${call.query}`,
      headers: [
        call.catalog.auth.header,
        open.secret,
        'x-request-id',
        `${call.requestId}/${attempt.number}`,
        'accept',
        'application/json',
        'accept-encoding',
        'gzip',
      ],
    });
    metrics.upstream.observe((performance.now() - begun) / 1_000, call.endpoint.id);
    // whatever else came of it, the upstream may have been asked
    if (reply.is !== 'not-sent') call.sent = true;
    // 9 settle
    return settle(attempt, reply);
  }
}

type Again = Extract<Outcome, { is: 'again' }>;

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

import { AppError } from '@weir/kernel';
import { retryAfterSeconds, type Refused } from '@weir/limiter';
import { upstreamRateLimited } from '../errors';

const UNKNOWN_LEDGER_RETRY_S = 1;
/** A place among the calls under way is free when one of them ends: long before its lease does, and nobody knows when. */
const PLACE_MS = 200;
/** Where no time is known at which it would be admitted: when its limit is whole again, and no sooner than this. */
const HOPELESS_MS = 60_000;

/** When it makes sense to try again: what the limiter says, but for a place among the calls under way. */
export const againMs = ({ policy, retryAfterMs }: Refused): number | null =>
  retryAfterMs !== null && (policy === 'concurrency' || policy === 'upstream-key-concurrency') ? Math.min(retryAfterMs, PLACE_MS) : retryAfterMs;

/** A refusal of the limiter, as the caller reads it: whose limit, which, and when again. */
export function refusedBy(refusal: Refused, nowMs: number): AppError {
  const { limitedBy, policy, limits } = refusal;
  const retryAfterMs = againMs(refusal);
  if (limitedBy === 'unknown-ledger') {
    return new AppError('not-accountable', 'unavailable', "The tenant's use so far is not known here yet. Try again shortly.", {
      retryAfter: UNKNOWN_LEDGER_RETRY_S,
    });
  }
  if (limitedBy === 'upstream') return upstreamRateLimited(retryAfterMs ?? HOPELESS_MS);
  const named = limits.find(({ name }) => name === policy);
  const waitMs = retryAfterMs ?? Math.max(named?.resetMs ?? 0, HOPELESS_MS);
  return new AppError('rate-limited', 'rate-limited', `Refused by ${limitedBy}. Wait as long as Retry-After says.`, {
    details: {
      origin: 'weir',
      limitedBy,
      ...(policy === null ? {} : { policy }),
      ...(named === undefined
        ? {}
        : { limit: named.limit, remaining: named.remaining, resetAt: new Date(nowMs + named.resetMs).toISOString() }),
    },
    retryAfter: retryAfterSeconds(waitMs),
  });
}

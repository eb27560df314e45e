import { AppError, notFound } from '@weir/kernel';
import { retryAfterSeconds, type Refused } from '@weir/limiter';

const UNKNOWN_LEDGER_RETRY_S = 1;

export const tenantSuspended = (status: string) =>
  new AppError('tenant-suspended', 'forbidden', `This tenant is ${status}: its calls are refused. Ask the operator.`);

export const notATenant = () =>
  new AppError('forbidden', 'forbidden', "An operator has no upstream calls of its own. Use a tenant's token.");

export const unknownEndpoint = (basePath: string) =>
  new AppError('unknown-endpoint', 'not-found', `There is no such endpoint below ${basePath}. GET /v1/catalog lists them.`);

export const invalidParameter = (parameter: string, problem: string) =>
  new AppError('invalid-parameter', 'invalid', `The parameter ${parameter} ${problem}.`, { details: { parameter } });

export const trialEnded = () =>
  new AppError('trial-ended', 'forbidden', 'The trial is over. Register an upstream key of your own, or have the plan changed.');

export const upstreamKeyMissing = () =>
  new AppError(
    'upstream-key-missing',
    'conflict',
    'This tenant calls with its own upstream key and has none that is active. Register one under /v1/tenants/{t}/upstream-keys.',
  );

export const ownKeyInvalid = () =>
  new AppError(
    'upstream-key-invalid',
    'failed-dependency',
    'The upstream refuses your own upstream key. Check it, or rotate to a new one.',
  );

export const ownKeyDepleted = () =>
  new AppError(
    'upstream-credits-depleted',
    'payment-required',
    'The credits of your own upstream key are used up. Top up its account at the provider.',
  );

export const upstreamUnavailable = (detail: string) =>
  new AppError('upstream-unavailable', 'unavailable', detail, { retryAfter: 5 });

export const keyNotOpened = (cause: unknown) =>
  new AppError('upstream-unavailable', 'unavailable', 'The upstream key cannot be opened now. Try again shortly.', {
    retryAfter: 1,
    cause,
  });

export const simulatorMissing = () =>
  new AppError(
    'simulator-missing',
    'conflict',
    'This is a test token, and no simulator is configured here. Use a live token, or set WEIR_SIMULATOR_URL.',
  );

/** @param why for the log alone: an answer may hold personal data */
export const upstreamFailed = (why: string, retryAfter?: number) =>
  new AppError(
    'upstream-failed',
    'bad-gateway',
    'The upstream failed or gave an answer that cannot be used. You are not charged. Try again shortly.',
    {
      details: { origin: 'upstream' },
      cause: new Error(why),
      ...(retryAfter === undefined ? {} : { retryAfter }),
    },
  );

export const upstreamTimeout = () =>
  new AppError('upstream-timeout', 'timeout', 'The upstream did not answer in time. You are not charged. Try again shortly.', {
    details: { origin: 'upstream' },
  });

export const deadlinePassed = () =>
  new AppError('upstream-timeout', 'timeout', 'The answer did not come within Weir-Timeout. You are not charged. Try again, or allow more time.', {
    details: { origin: 'weir', limitedBy: 'deadline' },
  });

export const upstreamRateLimited = (retryAfterMs: number) =>
  new AppError('rate-limited', 'rate-limited', 'The upstream limits calls with this key now. Wait as long as Retry-After says.', {
    details: { origin: 'upstream', limitedBy: 'upstream' },
    retryAfter: retryAfterSeconds(retryAfterMs),
  });

export const notAccountable = (cause?: unknown) =>
  new AppError(
    'not-accountable',
    'unavailable',
    'The call cannot be put on the record at this moment, so it is not made. Try again shortly.',
    { cause, retryAfter: 1 },
  );

/** A refusal of the limiter, as the caller reads it: whose limit, which, and when again. */
export function refusedBy(refusal: Refused, nowMs: number): AppError {
  const { limitedBy, policy, retryAfterMs, limits } = refusal;
  if (limitedBy === 'unknown-ledger') {
    return new AppError('not-accountable', 'unavailable', "The tenant's use so far is not known here yet. Try again shortly.", {
      retryAfter: UNKNOWN_LEDGER_RETRY_S,
    });
  }
  const named = limits.find(({ name }) => name === policy);
  const waitMs = retryAfterMs ?? Math.max(named?.resetMs ?? 0, 60_000);
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

export const jobNotFound = () => notFound('fetch job');
export const scheduleNotFound = () => notFound('refresh schedule');

export const badItems = (problems: readonly { item: number; problem: string }[], more: number) =>
  new AppError(
    'invalid-request',
    'invalid',
    `Some items cannot be fetched: item ${problems[0]?.item}: ${problems[0]?.problem}${more > 0 ? `; and ${more} more` : ''}.`,
    { details: { problems } },
  );

export const quoteExceeded = (credits: number, maxCredits: number) =>
  new AppError('quote-exceeded', 'conflict', `The job would cost ${credits} credits; maxCredits allows ${maxCredits}. It was not made.`, {
    details: { credits, maxCredits },
  });

import { AppError, notFound, rfc3339 } from '@weir/kernel';
import { retryAfterSeconds } from '@weir/limiter';

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

export const idempotencyKeyReused = () =>
  new AppError('idempotency-key-reused', 'unprocessable', 'This Idempotency-Key was used with another call. Use a new key for a new call.');

export const idempotencyNotReplayable = (requestId: string, doneAt: number) =>
  new AppError(
    'idempotency-not-replayable',
    'conflict',
    'The call under this Idempotency-Key was made, and its answer is not kept: it is too large, or holds what expires. Use a new key to make it again.',
    { details: { firstRequestId: requestId, doneAt: rfc3339(doneAt) } },
  );

export const idempotencyInProgress = () =>
  new AppError('idempotency-in-progress', 'conflict', 'The first call with this Idempotency-Key is still being made. Try again.', { retryAfter: 1 });

export const notAccountable = (cause?: unknown) =>
  new AppError(
    'not-accountable',
    'unavailable',
    'The call cannot be put on the record at this moment, so it is not made. Try again shortly.',
    { cause, retryAfter: 1 },
  );

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

export const tooManySchedules = (most: number) =>
  new AppError('too-many-schedules', 'conflict', `A tenant has ${most} refresh schedules at most. Remove one, or give one more targets.`);

export const subjectErased = () =>
  new AppError('subject-erased', 'forbidden', 'This person was erased for this tenant and is not fetched again. GET /v1/tenants/{t}/erasure-receipts/{id} shows the erasure.');

import { AppError, invalid, notFound } from '@weir/kernel';

export const tenantNotFound = () => notFound('tenant');
export const tokenNotFound = () => notFound('token');
export const memberNotFound = () => notFound('member');
export const operationNotFound = () => notFound('operation');

export const slugTaken = (slug: string) =>
  new AppError('slug-taken', 'conflict', `The slug ${slug} is in use. Choose another.`, { details: { field: 'slug' } });

export const unknownPlan = (plan: string) =>
  new AppError('unknown-plan', 'invalid', `There is no published plan ${plan}. GET /v1/plans lists them.`, { details: { field: 'plan' } });

export const keyModeNotInPlan = (mode: string, allowed: readonly string[]) =>
  new AppError('key-mode-not-in-plan', 'conflict', `The plan does not allow the key mode ${mode}; it allows: ${allowed.join(', ')}.`, {
    details: { allowed },
  });

export const seatsExhausted = (seats: number) =>
  new AppError('seats-exhausted', 'conflict', `All ${seats} seats of the plan are taken. Remove a member or change the plan.`);

export const planVersionExists = (plan: string, version: number) =>
  new AppError('plan-version-published', 'conflict', `Version ${version} of ${plan} is published and never changes. Draft a new version.`);

export const unknownCluster = (cluster: string | undefined, known: readonly string[]) =>
  new AppError('unknown-cluster', 'invalid', `Placement database needs a cluster; ${cluster ?? 'none'} is not one of: ${known.join(', ') || 'none is configured (WEIR_CLUSTERS)'}.`, {
    details: { field: 'cluster', known },
  });

export const notOffboarded = () => new AppError('not-offboarded', 'conflict', 'Only a tenant that has been offboarded can be purged: POST /v1/tenants/{t}/offboard first.');

export const stillPublishing = () =>
  new AppError('still-publishing', 'unavailable', "The tenant's last events have not been published yet. Purge it again in a moment.", { retryAfter: 10 });

export const wrongState = (what: string) => new AppError('wrong-state', 'conflict', what);
export { invalid };

/** @param id of the token that the first try made */
export const tokenShownBefore = (id: string): AppError =>
  new AppError('idempotency-not-replayable', 'conflict', 'The first try of this request has made the token, and it is shown once. Revoke it and issue another.', { details: { tokenId: id } });

import { AppError, invalid, notFound } from '@weir/kernel';
import { LIMIT_NAMES } from '@weir/contracts';

export const tenantNotFound = () => notFound('tenant');
export const projectNotFound = () => notFound('project');
export const keyNotFound = () => notFound('upstream key');

export const unknownLimit = (name: string) =>
  new AppError(
    'unknown-limit',
    'not-found',
    `There is no limit ${name.slice(0, 60)} that an override can replace; there are: ${LIMIT_NAMES.join(', ')} and endpoint:<id>, with * for any characters.`,
  );

export const expiredAlready = () => invalid('expiresAt must be in the future.', { field: 'expiresAt' });
export const limitMissing = () =>
  invalid('limit is missing. Without one an override can only put into the shadow what holds: give shadow: true.', { field: 'limit' });
export const notOfOneKind = (name: string) =>
  invalid(`${name} covers limits of several kinds, which one number cannot be right for. Name buckets, quotas or concurrency alone.`, {
    field: 'limit',
  });
export const rateOfNoBucket = () =>
  invalid('refillPerSecond belongs to a bucket alone, beside its limit.', { field: 'refillPerSecond' });
export const bucketTooSlow = (most: number) =>
  invalid(
    `At this rate a bucket may hold ${most} at most, so that it fills within 30 days. Give a lower limit or a higher refillPerSecond.`,
    { field: 'limit', most },
  );

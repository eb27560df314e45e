import type { ResponseCache } from '../call/cache';
import type { Suppressed } from './suppressed';

/** The cache, which keeps nothing of somebody who was erased while the answer was fetched. */
export const guardedCache = (cache: ResponseCache, suppressed: Suppressed): ResponseCache => ({
  ...cache,
  keep(call, answer) {
    const allowed = suppressed.assertAllowed(call.tenant.id, call.endpoint, call.query);
    if (allowed === undefined) return cache.keep(call, answer);
    return allowed.then(
      () => cache.keep(call, answer),
      () => undefined,
    );
  },
});

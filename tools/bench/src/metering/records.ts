import type { Usage } from '@weir/contracts';
import { newId, newUuid, type KeyId, type ProjectId, type RequestId, type TenantId, type TokenId } from '@weir/kernel';

const ENDPOINTS = ['userinfo-by-username', 'userid', 'user-posts', 'user-followers', 'post-detail'];
const TOKENS = [newId('tok'), newId('tok'), newId('tok')] as readonly TokenId[];
const PROJECT: ProjectId = newId('prj');
const KEY: KeyId = newId('key');
/** Of ten calls so many need the upstream; each of those is two records. */
const MISSES_IN_TEN = 6;

/** Endless usage of one tenant as a fetcher publishes it: holds with their settlements after them, answers from the cache between. */
export function* usageOf(tenantId: TenantId): Generator<Usage, never> {
  for (let n = 0; ; n++) {
    const at = Date.now();
    const call = {
      tenantId,
      projectId: PROJECT,
      tokenId: TOKENS[n % TOKENS.length] as TokenId,
      requestId: newId('req', at) as RequestId,
      endpoint: ENDPOINTS[n % ENDPOINTS.length] as string,
      priceVersion: 'pro@1',
      at,
      mode: 'live',
      keyMode: 'shared',
      keyOwner: 'platform',
    } as const;
    if (n % 10 >= MISSES_IN_TEN) {
      yield { kind: 'served', ...call, eventId: newUuid(at), cache: 'hit', upstreamCredits: 0, chargedCredits: 1 };
      continue;
    }
    const attempt = { ...call, attempt: 1, purpose: 'call', keyId: KEY, keyVersion: 1 } as const;
    yield { kind: 'held', ...attempt, eventId: newUuid(at), upstreamCredits: 1, chargedCredits: 1 };
    yield { kind: 'settled', ...attempt, eventId: newUuid(at), cache: 'miss', upstreamStatus: n % 50 === 0 ? 404 : 200, upstreamCredits: 1, chargedCredits: 1, difference: null };
  }
}

export const take = (from: Iterator<Usage, never>, count: number): Usage[] => Array.from({ length: count }, () => from.next().value);

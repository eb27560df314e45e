import type { Usage } from '@weir/contracts';
import { newId, newUuid, type KeyId, type RequestId, type TenantId, type TokenId } from '@weir/kernel';

const KEYS: readonly KeyId[] = [newId('key'), newId('key')];
const TOKENS: readonly TokenId[] = [newId('tok'), newId('tok'), newId('tok')];
const ENDPOINTS = ['userinfo-by-username', 'userid', 'user-posts', 'user-followers', 'post-detail'];
const DAY_MS = 86_400_000;
/** Most calls are of the last hours, some come late. */
const HOURS = 3;
const LATE = 0.02;
const DAYS = 20;

/** What can become of calls, as records; each call another. */
export function* stories(tenantId: TenantId, random: () => number, now: number): Generator<Usage[], never> {
  for (let n = 0; ; n++) yield story(tenantId, n, now - Math.floor(random() * (random() < LATE ? DAYS * DAY_MS : (HOURS * DAY_MS) / 24)));
}

function story(tenantId: TenantId, n: number, at: number): Usage[] {
  const call = {
    tenantId,
    projectId: null,
    tokenId: TOKENS[n % TOKENS.length] as TokenId,
    requestId: newId('req', at) as RequestId,
    endpoint: ENDPOINTS[n % ENDPOINTS.length] as string,
    priceVersion: 'pro@1',
    at,
    mode: n % 20 === 0 ? 'test' : 'live',
    keyMode: 'shared',
    keyOwner: 'platform',
  } as const;
  const credits = 1 + (n % 3);
  const tried = { ...call, attempt: 1, purpose: 'call', keyId: KEYS[n % KEYS.length] as KeyId, keyVersion: 1 } as const;
  const held = (attempt = 1): Usage => ({ kind: 'held', ...tried, attempt, eventId: newUuid(at), upstreamCredits: credits, chargedCredits: credits });
  const settled = (given: { attempt?: number; upstreamStatus?: number; chargedCredits?: number; difference?: 'absorbed' } = {}): Usage => ({
    kind: 'settled',
    ...tried,
    eventId: newUuid(at),
    cache: 'miss',
    upstreamStatus: 200,
    upstreamCredits: credits,
    chargedCredits: credits,
    difference: null,
    ...given,
  });
  switch (n % 10) {
    case 0:
    case 1:
    case 2:
    case 3:
      return [{ kind: 'served', ...call, eventId: newUuid(at), cache: n % 4 === 0 ? 'coalesced' : 'hit', upstreamCredits: 0, chargedCredits: n % 2 }];
    case 4:
      return [held(), { kind: 'released', ...tried, eventId: newUuid(at), upstreamCredits: 0, chargedCredits: 0 }];
    case 5:
      return [held(), settled({ upstreamStatus: 502, chargedCredits: 0, difference: 'absorbed' }), held(2), settled({ attempt: 2 })];
    case 6:
      // nobody settles it
      return [held()];
    case 7:
      return [settled(), held(), settled()];
    default:
      return [held(), settled()];
  }
}

import type { UsageOf } from '@weir/contracts';
import { newId, newUuid, type TenantId } from '@weir/kernel';

const attempt = {
  projectId: 'prj_default',
  tokenId: 'tok_live',
  endpoint: 'userinfo-by-username',
  priceVersion: '2026-11-01',
  mode: 'live' as const,
  attempt: 1,
  purpose: 'call' as const,
  keyId: 'key_platform' as const,
  keyVersion: 1,
  keyMode: 'shared' as const,
  keyOwner: 'platform' as const,
};

type Given<K extends 'held' | 'settled' | 'released' | 'served'> = Partial<UsageOf<K>> & { tenantId: TenantId };

const fresh = () => ({ eventId: newUuid(), requestId: newId('req'), at: Date.now() });

export const held = (given: Given<'held'>): UsageOf<'held'> => ({
  kind: 'held',
  ...attempt,
  ...fresh(),
  upstreamCredits: 2,
  chargedCredits: 2,
  ...given,
});

export const settled = (given: Given<'settled'>): UsageOf<'settled'> => ({
  kind: 'settled',
  ...attempt,
  ...fresh(),
  cache: 'miss',
  upstreamStatus: 200,
  upstreamCredits: 2,
  chargedCredits: 2,
  difference: null,
  ...given,
});

export const released = (given: Given<'released'>): UsageOf<'released'> => ({
  kind: 'released',
  ...attempt,
  ...fresh(),
  upstreamCredits: 0,
  chargedCredits: 0,
  ...given,
});

export const served = (given: Given<'served'>): UsageOf<'served'> => {
  const { attempt: _attempt, purpose: _purpose, keyId: _keyId, keyVersion: _keyVersion, ...common } = attempt;
  return { kind: 'served', ...common, ...fresh(), cache: 'hit', upstreamCredits: 0, chargedCredits: 1, ...given };
};

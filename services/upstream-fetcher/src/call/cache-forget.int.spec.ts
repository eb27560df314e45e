import { newId, type TenantId } from '@weir/kernel';
import { openRedis } from '@weir/service-host';
import { freshPrefix, freshRedis } from '@weir/testing';
import { findEndpoint, tiklive } from '@weir/upstream-catalog';
import { createResponseCache, type ResponseCache } from './cache';
import type { Call } from './context';

const userid = findEndpoint(tiklive, '/userid/');
const [one, other] = [newId('ten'), newId('ten')];
const call = (tenant: TenantId, query: string, sharedCache: boolean): Call =>
  ({ tenant: { id: tenant }, plan: { terms: { sharedCache } }, mode: 'live', keys: { owner: 'platform' }, endpoint: userid, query }) as unknown as Call;

/** In both stores: what is forgotten is a tenant's own and what tenants share, where its words match, and nothing else. */
async function forgets(cache: ResponseCache): Promise<void> {
  const keep = (tenant: TenantId, query: string, shared: boolean, id: string) =>
    cache.keep(call(tenant, query, shared), { status: 200, body: Buffer.from(JSON.stringify({ id, pad: 'x'.repeat(4_000) })), contentType: 'application/json', fetchedAt: Date.now() });
  await keep(one, 'username=a', false, '7');
  await keep(one, 'username=b', false, '8');
  await keep(other, 'username=a', false, '7');
  await keep(other, 'username=shared', true, '7');
  const asked: string[] = [];
  const forgotten = await cache.forget(one, (endpointId, query, body) => {
    asked.push(`${endpointId} ${query}`);
    return (JSON.parse(body.toString('utf8')) as { id: string }).id === '7';
  });
  expect(forgotten).toBe(2);
  expect(asked.sort()).toEqual(['userid username=a', 'userid username=b', 'userid username=shared']);
  const there = async (tenant: TenantId, query: string, shared: boolean) => (await cache.read(call(tenant, query, shared), undefined)) !== undefined;
  expect([await there(one, 'username=a', false), await there(one, 'username=b', false)]).toEqual([false, true]);
  expect([await there(other, 'username=a', false), await there(other, 'username=shared', true)]).toEqual([true, false]);
}

const options = {
  clock: Date.now,
  maxBytes: 1_000_000,
  staleIfErrorMs: 0,
  onError: (error: unknown) => {
    throw error;
  },
};

describe('A4 answers about somebody who is forgotten', () => {
  it('are found and removed in Redis', async () => {
    const redis = await freshRedis();
    // a prefix that a pattern could take for something else
    const cache = createResponseCache({ ...options, prefix: `${freshPrefix()}[a]*`, redis: openRedis({ redisUrl: redis.url }, { onError: () => undefined, commandTimeoutMs: 1_000 }) });
    await forgets(cache);
    await cache.close();
    await redis.close();
  });

  it('are found and removed in memory', async () => {
    const cache = createResponseCache({ ...options, prefix: 'spec', redis: undefined });
    await forgets(cache);
    await cache.close();
  });
});

import { newId } from '@weir/kernel';
import { openRedis } from '@weir/service-host';
import { freshPrefix, freshRedis } from '@weir/testing';
import { findEndpoint, tiklive } from '@weir/upstream-catalog';
import { createResponseCache, type KeptAnswer } from './cache';
import type { Call } from './context';

const userid = findEndpoint(tiklive, '/userid/');
const call = (query: string): Call =>
  ({
    tenant: { id: newId('ten') },
    plan: { terms: { sharedCache: true } },
    mode: 'live',
    keys: { owner: 'platform' },
    endpoint: userid,
    query,
  }) as unknown as Call;
const answer = (fetchedAt: number): KeptAnswer => ({
  status: 200,
  body: Buffer.from('{"id":"1","name":"Zoë 🎈 \\u00e9"}'),
  contentType: 'application/json; charset=utf-8',
  fetchedAt,
  user: undefined,
});

describe('the response cache', () => {
  it('gives back the very bytes in Redis, as long as the catalog or the caller accepts their age', async () => {
    const redis = await freshRedis();
    let now = 1_000_000_000_000;
    const connection = openRedis({ redisUrl: redis.url }, { onError: () => undefined, commandTimeoutMs: 1_000 });
    const cache = createResponseCache({
      clock: () => now,
      prefix: freshPrefix(),
      redis: connection,
      maxBytes: 1_000_000,
      onError: (error) => {
        throw error;
      },
    });
    const kept = answer(now);
    await cache.keep(call('username=a'), kept);
    expect(await cache.read(call('username=a'), undefined)).toEqual(kept);
    expect(await cache.read(call('username=b'), undefined)).toBeUndefined();
    now += 5_000;
    expect(await cache.read(call('username=a'), 6_000)).toEqual(kept);
    expect(await cache.read(call('username=a'), 5_000)).toBeUndefined();
    expect(await cache.read(call('username=a'), 0)).toBeUndefined();
    now += 15 * 60_000;
    expect(await cache.read(call('username=a'), undefined)).toBeUndefined();
    await cache.close();
    await redis.close();
  });

  it('is a miss while Redis is away, and never an error', async () => {
    const errors: unknown[] = [];
    const connection = openRedis({ redisUrl: 'redis://127.0.0.1:1' }, { onError: () => undefined, commandTimeoutMs: 100 });
    const cache = createResponseCache({
      clock: Date.now,
      prefix: 'x',
      redis: connection,
      maxBytes: 1_000_000,
      onError: (error) => errors.push(error),
    });
    await cache.keep(call('username=a'), answer(Date.now()));
    const from = Date.now();
    expect(await cache.read(call('username=a'), undefined)).toBeUndefined();
    expect(Date.now() - from).toBeLessThan(1_000);
    connection.disconnect();
  });
});

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
      staleIfErrorMs: 60_000,
      onError: (error) => {
        throw error;
      },
    });
    const kept = answer(now);
    await cache.keep(call('username=a'), kept);
    expect(await cache.read(call('username=a'), undefined)).toEqual({ fresh: true, kept });
    expect(await cache.read(call('username=b'), undefined)).toBeUndefined();
    now += 5_000;
    expect(await cache.read(call('username=a'), 6_000)).toEqual({ fresh: true, kept });
    expect(await cache.read(call('username=a'), 5_000)).toBeUndefined();
    expect(await cache.read(call('username=a'), 0)).toBeUndefined();
    now += 15 * 60_000;
    // past its lifetime, for want of a better one; never to who said how old it may be, and not past the bound
    expect(await cache.read(call('username=a'), undefined)).toEqual({ fresh: false, kept });
    expect(await cache.read(call('username=a'), 3_600_000)).toBeUndefined();
    now += 60_000;
    expect(await cache.read(call('username=a'), undefined)).toBeUndefined();

    const large = { ...kept, fetchedAt: now, body: Buffer.from(JSON.stringify({ id: '1', page: Array.from({ length: 500 }, (_, n) => ({ n, name: `Zoë ${n}` })) })) };
    await cache.keep(call('username=large'), large);
    expect(await cache.read(call('username=large'), undefined)).toEqual({ fresh: true, kept: large });
    const [stored] = await connection.keys('*username=large');
    expect(await connection.strlen(stored ?? '')).toBeLessThan(large.body.length / 2);
    await cache.keep(call('username=huge'), { ...large, body: Buffer.alloc(3_000_000, 'x') });
    expect(await cache.read(call('username=huge'), undefined)).toBeUndefined();
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
      staleIfErrorMs: 60_000,
      onError: (error) => errors.push(error),
    });
    await cache.keep(call('username=a'), answer(Date.now()));
    const from = Date.now();
    expect(await cache.read(call('username=a'), undefined)).toBeUndefined();
    expect(Date.now() - from).toBeLessThan(1_000);
    connection.disconnect();
  });
});

import { randomBytes } from 'node:crypto';
import type { TenantId } from '@weir/kernel';
import { DataKeyCache, type WrappedDataKey } from './data-key-cache';
import { localKeyEncryptionOf } from './local-key';
import type { OpenedDataKey } from './opened-data-key';

const keys = localKeyEncryptionOf(randomBytes(32));
const ctx = (tenantId: TenantId) => ({ tenant_id: tenantId, purpose: 'upstream-key', data_key_version: '1' });
async function dataKeyOf(tenantId: TenantId): Promise<WrappedDataKey> {
  const { kekId, wrapped } = await keys.generateDataKey(ctx(tenantId));
  return { tenantId, purpose: 'upstream-key', version: 1, kekId, wrapped };
}

function cacheOf(bounds: Partial<{ maxEntries: number; maxAgeMs: number; maxUses: number }> = {}) {
  const time = { now: 0 };
  const cache = new DataKeyCache(keys, { maxEntries: 10, maxAgeMs: 1_000, maxUses: 1_000, ...bounds }, () => time.now);
  return { time, cache, use: (key: WrappedDataKey) => cache.use(key, (opened) => opened.fingerprint(Buffer.from('x'))) };
}

describe('data keys in memory', () => {
  it('are unwrapped once by all who ask together', async () => {
    const { cache, use } = cacheOf();
    const key = await dataKeyOf('ten_a');
    const prints = await Promise.all(Array.from({ length: 50 }, () => use(key)));
    expect(new Set(prints).size).toBe(1);
    expect(cache.stats()).toMatchObject({ entries: 1, hits: 49, misses: 1 });
  });

  it('V10 stay within their number, with 10,000 tenants too', async () => {
    const { cache, use } = cacheOf({ maxEntries: 100 });
    const { kekId, wrapped } = await keys.generateDataKey(ctx('ten_0'));
    for (let i = 0; i < 10_000; i++) {
      // all but the first belong elsewhere and fail: neither way may an entry stay behind
      await use({ tenantId: `ten_${i % 3 === 0 ? 0 : i}`, purpose: 'upstream-key', version: 1, kekId, wrapped }).catch(
        () => undefined,
      );
      expect(cache.stats().entries).toBeLessThanOrEqual(100);
    }
    const many = await Promise.all(Array.from({ length: 200 }, (_, i) => dataKeyOf(`ten_${i}`)));
    await Promise.all(many.map(use));
    expect(cache.stats().entries).toBe(100);
  });

  it('V10 go after their uses and their age, whichever comes first', async () => {
    const { cache, use, time } = cacheOf({ maxUses: 3, maxAgeMs: 1_000 });
    const key = await dataKeyOf('ten_a');
    for (let i = 0; i < 6; i++) await use(key);
    expect(cache.stats()).toMatchObject({ misses: 2, hits: 4 });
    await use(key);
    time.now += 1_000;
    await use(key);
    expect(cache.stats().misses).toBe(4);
  });

  it('are let go least recently used first', async () => {
    const { cache, use } = cacheOf({ maxEntries: 2 });
    const [a, b, c] = [await dataKeyOf('ten_a'), await dataKeyOf('ten_b'), await dataKeyOf('ten_c')];
    for (const key of [a, b, a, c, a]) await use(key);
    expect(cache.stats()).toMatchObject({ misses: 3, hits: 2 });
    await use(b);
    expect(cache.stats().misses).toBe(4);
  });

  it('are overwritten when they go, and not under one who is at work with them', async () => {
    const { cache } = cacheOf();
    const key = await dataKeyOf('ten_a');
    let kept: OpenedDataKey | undefined;
    const before = await cache.use(key, (opened) => {
      kept = opened;
      cache.clear();
      return opened.fingerprint(Buffer.from('x'));
    });
    expect(kept!.fingerprint(Buffer.from('x'))).not.toBe(before);
    const wiped = new Uint8Array(32);
    expect((kept as unknown as { plaintext: Buffer }).plaintext).toEqual(Buffer.from(wiped));
  });

  it('do not remember a failure', async () => {
    const { cache, use } = cacheOf();
    const key = await dataKeyOf('ten_a');
    await expect(use({ ...key, tenantId: 'ten_b' })).rejects.toMatchObject({ code: 'unreadable-secret' });
    expect(cache.stats().entries).toBe(0);
    await use(key);
    expect(cache.stats().entries).toBe(1);
  });

  it('serve the bytes they were unwrapped from alone: the same version under other bytes is another key', async () => {
    const { use } = cacheOf();
    const [one, other] = [await dataKeyOf('ten_a'), await dataKeyOf('ten_a')];
    expect(await use(one)).not.toBe(await use(other));
  });

  it.each([0, -1, 1.5, NaN, Infinity])('have no bound of %d', (bound) => {
    expect(() => cacheOf({ maxEntries: bound })).toThrow(RangeError);
  });
});

import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sleep } from '@weir/kernel';
import { Redis } from 'ioredis';
import { limiterConformance } from './conformance';
import type { TenantTake } from './port';
import { redisLimiterStore } from './redis-store';
import { keyTake, ofTenant, tenantTake } from './samples';

const redisUrl = process.env.WEIR_TEST_REDIS_URL;
if (!redisUrl) throw new Error('WEIR_TEST_REDIS_URL is not set: these tests need a Redis.');

describe('Redis limiter store', () => {
  const redis = new Redis(redisUrl);
  const run = `limiter-${randomUUID()}`;
  let stores = 0;
  const newPrefix = () => `${run}:${++stores}`;
  afterAll(async () => {
    const keys = await redis.keys(`${run}:*`);
    if (keys.length > 0) await redis.unlink(keys);
    await redis.quit();
  });

  limiterConformance((testClock) => redisLimiterStore(redis, { prefix: newPrefix(), testClock }));

  /** Takes the same take in three processes of their own at once; answers how many each admitted. */
  async function inProcesses(prefix: string, take: TenantTake, takes: number, skewsMs: readonly number[]): Promise<number> {
    const file = join(__dirname, '../fixtures/take-process.cjs');
    const runs = skewsMs.map((skewMs) =>
      promisify(execFile)(process.execPath, [file, JSON.stringify({ redisUrl, prefix, takes, take, skewMs })]),
    );
    return (await Promise.all(runs)).reduce((sum, { stdout }) => sum + Number(stdout), 0);
  }

  it('admits 100 of 1,000 concurrent takes by three processes at a capacity of 100 (L4)', async () => {
    const take = tenantTake({ ledger: undefined, limits: { bucket: { capacity: 100, refillPerSecond: 0.001 } } });
    expect(await inProcesses(newPrefix(), take, 334, [0, 0, 0])).toBe(100);
  });

  it('does not care that the clocks of the processes differ by a minute (L1)', async () => {
    const prefix = newPrefix();
    const take = tenantTake({ ledger: undefined, limits: { bucket: { capacity: 600, refillPerSecond: 10 } } });
    const began = Date.now();
    const admitted = await inProcesses(prefix, take, 300, [-60_000, 0, 60_000]);
    const refilled = ((Date.now() - began) / 1000) * 10;
    expect(admitted).toBeGreaterThanOrEqual(600);
    expect(admitted).toBeLessThanOrEqual(1.01 * (600 + refilled));
  });

  it("admits a call at Retry-After by the server's own time (L9)", async () => {
    const store = redisLimiterStore(redis, { prefix: newPrefix() });
    const limits = { bucket: { capacity: 1, refillPerSecond: 4 } };
    await store.takeTenant(tenantTake({ limits, ledger: undefined }));
    const refusal = await store.takeTenant(tenantTake({ limits, ledger: undefined }));
    const waitMs = refusal.admitted ? NaN : (refusal.retryAfterMs ?? NaN);
    expect(waitMs).toBeGreaterThan(200);
    await sleep(waitMs + 1);
    expect((await store.takeTenant(tenantTake({ limits, ledger: undefined }))).admitted).toBe(true);
  });

  it('lets every key expire, and within the time in which it can matter (L3)', async () => {
    const prefix = newPrefix();
    const store = redisLimiterStore(redis, { prefix });
    const today = new Date().toISOString();
    const ledger = { day: today.slice(0, 10), dayCredits: 0, month: today.slice(0, 7), monthCredits: 0 };
    const limits = {
      dailyCredits: 10,
      concurrency: 3,
      leaseMs: 1000,
      endpointBuckets: { userid: { capacity: 5, refillPerSecond: 1 } },
    };
    for (let i = 0; i < 100; i++) {
      const take = tenantTake({ tenant: `ten_${i}`, limits, ledger, endpoint: 'userid' });
      await store.takeTenant(take);
      await store.takeTenant({ ...take, takeId: 'refused', cost: 11 });
      if (i % 2) await store.giveBack(ofTenant(take));
      await store.takeKey(keyTake({ keyId: `key_${i}`, limits: { concurrency: 1 } }));
    }
    const keys = await redis.keys(`${prefix}:*`);
    expect(keys.length).toBeGreaterThanOrEqual(300);
    const ttls = await Promise.all(keys.map((key) => redis.pttl(key)));
    expect(Math.min(...ttls)).toBeGreaterThan(0);
    const spareMs = 20_000;
    expect(Math.max(...ttls)).toBeLessThanOrEqual(86_400_000 + spareMs);
    // a take of a key is remembered a minute after its lease of 10 s
    const shortLived = ttls.filter((_, i) => !(keys[i] ?? '').endsWith(':more'));
    expect(Math.max(...shortLived)).toBeLessThanOrEqual(70_000 + spareMs);
  });

  it('writes nothing for a refusal', async () => {
    const prefix = newPrefix();
    const store = redisLimiterStore(redis, { prefix });
    const limits = { bucket: { capacity: 0, refillPerSecond: 1 }, dailyCredits: 5, concurrency: 1 };
    expect((await store.takeTenant(tenantTake({ limits }))).admitted).toBe(false);
    expect(await redis.keys(`${prefix}:*`)).toEqual([]);
  });

  it('keeps all keys of a step in one hash slot', async () => {
    const prefix = newPrefix();
    const store = redisLimiterStore(redis, { prefix });
    await store.takeKey(keyTake({ keyId: 'key_slot', limits: { concurrency: 1 } }));
    expect(new Set((await redis.keys(`${prefix}:*`)).map((key) => /\{.*?\}/.exec(key)?.[0]))).toEqual(new Set(['{key_slot}']));
  });

  it('loads its scripts again when the server has forgotten them', async () => {
    const store = redisLimiterStore(redis, { prefix: newPrefix() });
    const take = tenantTake({ ledger: undefined });
    await store.takeTenant(take);
    await redis.script('FLUSH');
    expect((await store.takeTenant(tenantTake({ ledger: undefined }))).admitted).toBe(true);
    await redis.script('FLUSH');
    await store.giveBack(ofTenant(take));
  });

  it('says that it is unavailable when the server does not answer', async () => {
    const gone = new Redis({ host: '127.0.0.1', port: 1, lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
    gone.on('error', () => {});
    const store = redisLimiterStore(gone, { prefix: 'gone' });
    await expect(store.takeTenant(tenantTake())).rejects.toMatchObject({ code: 'limiter-unavailable', status: 503 });
  });
});

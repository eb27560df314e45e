import { sleep, utcDay, utcMonth } from '@weir/kernel';
import { eventually, startOwnRedis, type OwnRedis } from '@weir/testing';
import { Redis } from 'ioredis';
import type { Admission, KeyTake, Ledger, TenantTake } from '../port';
import { redisLimiterStore } from '../redis-store';
import { keyTake, tenantTake } from '../samples';
import { failoverStore, type FailoverStore } from './failover-store';

const TIMEOUT_MS = 50;

/** Over a real Redis that is killed, frozen, or slow. */
describe('a limiter whose Redis goes away', () => {
  let redis: OwnRedis;
  let connection: Redis;
  let store: FailoverStore;
  let replicas: number;
  let changes: boolean[];
  let names = 0;

  beforeEach(async () => {
    redis = await startOwnRedis();
    connection = new Redis(redis.url, { maxRetriesPerRequest: 1, commandTimeout: 1_000, retryStrategy: () => 50 });
    connection.on('error', () => undefined);
    replicas = 1;
    changes = [];
    store = failoverStore({
      store: redisLimiterStore(connection, { prefix: 'spec' }),
      probe: () => connection.ping(),
      timeoutMs: TIMEOUT_MS,
      replicas: () => replicas,
      onChange: (away) => void changes.push(away),
    });
    await connection.ping();
  }, 30_000);
  afterEach(async () => {
    await store.close();
    connection.disconnect();
    await redis.stop();
  }, 30_000);

  const ledger = (used: number): Ledger => ({ day: utcDay(Date.now()), dayCredits: used, month: utcMonth(Date.now()), monthCredits: used });
  const tenantCall = (tenant: string, over: Partial<TenantTake> = {}) =>
    store.takeTenant(tenantTake({ tenant, takeId: `take-${++names}`, ledger: ledger(0), ...over }));
  const keyCall = (keyId: string, over: Partial<KeyTake> = {}) => store.takeKey(keyTake({ keyId, takeId: `take-${++names}`, ...over }));
  const admitted = (answers: readonly Admission[]) => answers.filter((answer) => answer.admitted).length;
  const many = async (count: number, call: () => Promise<Admission>) => admitted(await Promise.all(Array.from({ length: count }, call)));
  /** Until it has found out. */
  const lost = async () => {
    await eventually(async () => {
      await tenantCall('ten_probe');
      expect(store.away).toBe(true);
    });
  };
  const back = () => eventually(() => expect(store.away).toBe(false));

  const shared = { share: { weight: 1, priority: 'interactive' as const }, limits: { bucket: { capacity: 50, refillPerSecond: 0.01 }, leaseMs: 60_000 } };

  it('gives each process its part of a shared key, and an own key a bucket of its own (L7)', async () => {
    replicas = 4;
    await redis.kill();
    await lost();
    const slow = { bucket: { capacity: 40, refillPerSecond: 8 }, leaseMs: 60_000 };
    const began = Date.now();
    const taken = await many(100, () => keyCall('key_shared', { ...shared, limits: slow }));
    // a second's part, and what came meanwhile
    expect(taken).toBeGreaterThanOrEqual(2);
    expect(taken).toBeLessThanOrEqual(2 + Math.ceil(((Date.now() - began) / 1_000) * 2));
    const own = await many(100, () => keyCall('key_own', { limits: { bucket: { capacity: 40, refillPerSecond: 0.01 }, leaseMs: 60_000 } }));
    expect(own).toBe(40);
  });

  it('leaves a tenant without a bucket without one: what does not limit is not divided', async () => {
    replicas = 3;
    await redis.kill();
    await lost();
    const answer = await tenantCall('ten_a', { limits: { bucket: undefined, concurrency: 30, leaseMs: 60_000 } });
    expect(answer.limits.map(({ name, limit }) => [name, limit])).toEqual([['concurrency', 10]]);
  });

  it('closes quotas at the last known ledger less what is taken here, and refuses whose use nobody knows (L7, M10)', async () => {
    await redis.kill();
    await lost();
    const limits = { dailyCredits: 10, bucket: { capacity: 10_000, refillPerSecond: 10_000 }, leaseMs: 60_000 };
    expect(await many(100, () => tenantCall('ten_a', { limits, cost: 1, ledger: ledger(7) }))).toBe(3);
    expect(await tenantCall('ten_a', { limits, cost: 1, ledger: ledger(7) })).toMatchObject({ limitedBy: 'daily-quota' });
    expect(await tenantCall('ten_unknown', { limits, cost: 1, ledger: undefined })).toMatchObject({ limitedBy: 'unknown-ledger' });
    replicas = 3;
    expect(await many(100, () => tenantCall('ten_b', { limits, cost: 1, ledger: ledger(3) }))).toBe(2);
  });

  it('waits for a Redis that hangs 50 ms and then no more, and is back by itself (L8)', async () => {
    await tenantCall('ten_a');
    redis.freeze();
    const waits: number[] = [];
    for (let i = 0; i < 50; i++) {
      const from = performance.now();
      expect((await tenantCall('ten_a')).admitted).toBe(true);
      waits.push(performance.now() - from);
    }
    expect(store.away).toBe(true);
    // the first few found out; a machine that is busy may add to each
    expect(waits.filter((ms) => ms >= TIMEOUT_MS - 5).length).toBeLessThanOrEqual(10);
    expect(waits.sort((a, b) => a - b)[25]).toBeLessThan(TIMEOUT_MS);
    redis.thaw();
    await back();
    expect(changes).toEqual([true, false]);
    const local = store.localDecisions;
    await tenantCall('ten_a');
    expect(store.localDecisions).toBe(local);
  });

  it('asks a Redis that is 500 ms late no more, and asks it again when it is in time (L8)', async () => {
    redis.delay(500);
    await lost();
    await sleep(700);
    expect(store.away).toBe(true);
    redis.delay(0);
    await back();
  });

  it('tells the store what it missed: the ends of calls, and the takes that it made for nobody', async () => {
    const limits = { dailyCredits: 100, concurrency: 10, bucket: { capacity: 100, refillPerSecond: 0.01 }, leaseMs: 60_000 };
    const take = tenantTake({ tenant: 'ten_a', takeId: 'before', limits, cost: 5, ledger: ledger(0) });
    expect((await store.takeTenant(take)).admitted).toBe(true);
    redis.freeze();
    // comes too late to be answered, and stands in the server's queue
    expect((await store.takeTenant({ ...take, takeId: 'late' })).admitted).toBe(true);
    await lost();
    await store.settle({ slot: 'tenant', ...take, takeId: 'before' }, 2);
    await store.settle({ slot: 'tenant', ...take, takeId: 'late' }, 5);
    redis.thaw();
    await back();
    await eventually(async () => {
      const { takeId: _, cost: __, ...of } = take;
      const used = Object.fromEntries((await store.inspectTenant(of)).map(({ name, used }) => [name, used]));
      expect(used).toMatchObject({ 'daily-quota': 2, concurrency: 0, 'tenant-bucket': 1 });
    });
  });

  it('goes on through kills: scripts are loaded again, quotas seeded again, and a bucket is too much by one bucket a loss at most (L6)', async () => {
    const kills = 2;
    const limits = { bucket: { capacity: 20, refillPerSecond: 1 }, dailyCredits: 1_000, leaseMs: 60_000 };
    const began = Date.now();
    let taken = 0;
    const burst = async () => {
      for (let call = 0; call < 30; call++) {
        if ((await tenantCall('ten_a', { limits, cost: 1, ledger: ledger(taken) })).admitted) taken++;
      }
    };
    await burst();
    for (let kill = 0; kill < kills; kill++) {
      await redis.kill();
      await lost();
      await burst();
      await redis.start();
      await back();
      await burst();
    }
    // a second's refill each time, while it was decided here
    const refilled = Math.ceil((Date.now() - began) / 1_000);
    expect(taken).toBeLessThanOrEqual(20 * (kills + 1) + 2 * refilled + kills);
    expect(taken).toBeGreaterThan(20);
    const quota = { dailyCredits: taken, bucket: { capacity: 10_000, refillPerSecond: 10_000 }, leaseMs: 60_000 };
    expect(await tenantCall('ten_a', { limits: quota, cost: 1, ledger: ledger(taken) })).toMatchObject({ limitedBy: 'daily-quota' });
  }, 30_000);
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freshDatabase, startOwnRedis, type OwnRedis, type TestDatabase } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { startFetcher, type CallAnswer, type RunningFetcher, type SpecTenant } from '../testing/running-fetcher';

/** Calls while Redis is gone, hung or late, and after it. */
describe('a fetcher whose Redis is away', () => {
  let database: TestDatabase;
  let redis: OwnRedis;
  let simulator: Simulator;
  let fetcher: RunningFetcher;
  let dataDir: string;
  let tenant: SpecTenant;
  let user = 0;

  const call = (of: SpecTenant, headers?: Record<string, string>) => of.call(`/userid/?username=away_${++user}`, headers);
  async function withOwnKey(options: Parameters<RunningFetcher['newTenant']>[0] = {}): Promise<SpecTenant> {
    const own = await fetcher.newTenant({ ...options, state: { keyMode: 'byo' } });
    simulator.keys.set({ key: `own-${own.id}`, credits: null, perMinute: null, burst: 1, scopes: ['download'], suspended: false });
    await fetcher.newKey(`own-${own.id}`, { owner: own.id });
    return own;
  }
  const metric = async (name: string) => {
    const text = await (await fetch(`${fetcher.managementUrl}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1]);
  };
  const ready = async () => {
    const response = await fetch(`${fetcher.managementUrl}/readyz`);
    return [response.status, ((await response.json()) as { checks: Record<string, { state: string }> }).checks['limiter']?.state];
  };
  const noticed = () =>
    eventually(async () => {
      await call(tenant);
      expect(await metric('weir_limiter_away')).toBe(1);
    });
  const back = () => eventually(async () => expect(await metric('weir_limiter_away')).toBe(0));

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'weir-away-'));
    [database, redis, simulator] = await Promise.all([freshDatabase(), startOwnRedis(), startSimulator()]);
    fetcher = await startFetcher({
      database,
      dataDir,
      upstreamUrl: simulator.url,
      environment: { WEIR_LIMITER: 'redis', WEIR_REDIS_URL: redis.url },
    });
    simulator.keys.set({ key: 'platform-secret', credits: null, perMinute: null, burst: 1, scopes: ['download'], suspended: false });
    const key = await fetcher.newKey('platform-secret');
    await fetcher.setCeiling({ keyId: key.id, perMinute: 120, burst: 50, concurrency: 0 });
    tenant = await fetcher.newTenant({ terms: { dailyCredits: 1_000 } });
  }, 60_000);
  afterAll(async () => {
    await fetcher.stop();
    await simulator.close();
    await redis.stop();
    await database.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);

  it('answers on a share of the shared key, no faster than the key gives, says so, and goes on as before by itself (L7)', async () => {
    expect(await ready()).toEqual([200, 'ok']);
    await redis.kill();
    await noticed();
    expect(await ready()).toEqual([200, 'degraded']);
    const began = Date.now();
    const answers: CallAnswer[] = [];
    while (Date.now() - began < 1_500) answers.push(...(await Promise.all(Array.from({ length: 10 }, () => call(tenant)))));
    const admitted = answers.filter(({ status }) => status === 200).length;
    // 2 a second, and a second's worth at the start
    expect(admitted).toBeGreaterThanOrEqual(1);
    expect(admitted).toBeLessThanOrEqual(2 + Math.ceil((Date.now() - began) / 500));
    const refused = answers.find(({ status }) => status === 429) as CallAnswer;
    expect(['fair-share', 'upstream-key']).toContain(refused.body.limitedBy);
    await redis.start();
    await back();
    expect((await call(tenant)).status).toBe(200);
    expect(await metric('weir_limiter_outages_total')).toBe(1);
    expect(await metric('weir_limiter_local_decisions_total')).toBeGreaterThan(0);
  }, 20_000);

  it('closes quotas at the ledger less what it took itself, and refuses whose use nobody knows (L7)', async () => {
    const [poor, unknown] = await Promise.all([withOwnKey({ terms: { dailyCredits: 3 } }), withOwnKey({ quota: false })]);
    await redis.kill();
    try {
      await noticed();
      const answers = await Promise.all(Array.from({ length: 20 }, () => call(poor)));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
      expect((await call(poor)).body.limitedBy).toBe('daily-quota');
      expect((await call(unknown)).body.code).toBe('not-accountable');
    } finally {
      await redis.start();
      await back();
    }
  }, 20_000);

  it.each([
    ['hangs', () => redis.freeze(), () => redis.thaw()],
    ['is 500 ms late', () => redis.delay(500), () => redis.delay(0)],
  ])('lets no call wait for a Redis that %s, once it has found out (L8)', async (_, begin, end) => {
    await call(tenant);
    begin();
    try {
      await noticed();
      const own = await withOwnKey();
      const waits: number[] = [];
      for (let i = 0; i < 20; i++) {
        const from = performance.now();
        expect((await call(own)).status).toBe(200);
        waits.push(performance.now() - from);
      }
      waits.sort((a, b) => a - b);
      // a call takes some ms, and on a busy machine some more; a wait for Redis would be 500 and more in each
      expect(waits[10]).toBeLessThan(200);
      expect(waits[18]).toBeLessThan(450);
    } finally {
      end();
      await back();
    }
  }, 20_000);
});

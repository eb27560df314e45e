import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demand } from '@weir/contracts';
import { eventually, freshDatabase, freshPrefix, freshRedis, servers, type TestDatabase } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { startFetcher, type RunningFetcher, type SpecTenant } from './testing/running-fetcher';

/** Over a fetcher of its own, which the cases may end or starve. */
describe('a fetcher', () => {
  let database: TestDatabase;
  let simulator: Simulator;
  let fetcher: RunningFetcher;
  let tenant: SpecTenant;
  let dataDir: string;

  beforeEach(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'weir-fetcher-'));
    [database, simulator] = await Promise.all([freshDatabase(), startSimulator()]);
    fetcher = await startFetcher({ database, dataDir, upstreamUrl: simulator.url });
    simulator.keys.set({
      key: 'platform-secret',
      credits: null,
      perMinute: null,
      burst: 1,
      scopes: ['download'],
      suspended: false,
    });
    const key = await fetcher.newKey('platform-secret');
    await fetcher.setCeiling({ keyId: key.id, perMinute: 1e6, burst: 1e5, concurrency: 0 });
    tenant = await fetcher.newTenant();
  }, 60_000);

  afterEach(async () => {
    await fetcher?.stop();
    await simulator?.close();
    await database?.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);

  const calls = (count: number, from = 0) =>
    Promise.all(Array.from({ length: count }, (_, i) => tenant.call(`/userid/?username=user_${from + i}`)));

  it('answers, settles and publishes all that is under way when it is told to stop (F12)', async () => {
    simulator.faults.add({ kind: 'slow', ms: 800 });
    const answers = calls(100);
    await eventually(async () => expect((await fetcher.usageOf(tenant)).filter(({ kind }) => kind === 'held').length).toBe(100));
    await fetcher.stopService();
    expect((await answers).map(({ status }) => status)).toEqual(Array(100).fill(200));
    const usage = await fetcher.usageOf(tenant);
    expect(usage.filter(({ kind }) => kind === 'settled').length).toBe(100);
    expect(simulator.ledger.totals('platform-secret')).toMatchObject([{ credits: 100 }]);
    expect((await fetcher.records(demand)).reduce((sum, { admitted }) => sum + admitted, 0)).toBe(100);
  }, 20_000);

  it('lets go of callers whom it holds when it is told to stop: their wait would outlast the grace (F12, E13)', async () => {
    const waiter = await fetcher.newTenant({ terms: { bucket: { capacity: 1, refillPerSecond: 0.05 }, maxWaitMs: 30_000 } });
    expect((await waiter.call('/userid/?username=first')).status).toBe(200);
    const held = waiter.call('/userid/?username=second', { 'weir-max-wait': '30' });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const started = Date.now();
    await fetcher.stopService();
    expect(Date.now() - started).toBeLessThan(5_000);
    expect(await held).toMatchObject({ status: 429, body: { code: 'rate-limited', limitedBy: 'tenant-bucket' } });
  }, 20_000);

  it('stays in the edge’s sight while the database is away: no call asks it anything', async () => {
    const ready = async () => {
      const response = await fetch(`${fetcher.managementUrl}/readyz`);
      return [response.status, ((await response.json()) as { checks: Record<string, { state: string }> }).checks['database upstream-fetcher']?.state];
    };
    expect(await ready()).toEqual([200, 'ok']);
    await fetcher.loseDatabase();
    expect(await ready()).toEqual([200, 'degraded']);
    expect((await tenant.call('/userid/?username=somebody')).status).toBe(200);
  }, 20_000);

  it('shares cache and limits with the other processes, through Redis', async () => {
    const redis = await freshRedis();
    const environment = { WEIR_LIMITER: 'redis', WEIR_REDIS_URL: redis.url };
    const [one, two] = await Promise.all(
      [1, 2].map(() => startFetcher({ database, dataDir, upstreamUrl: simulator.url, environment })),
    );
    try {
      const sharing = await (one as RunningFetcher).newTenant({ terms: { bucket: { capacity: 2, refillPerSecond: 0.01 } } });
      const headers = { authorization: `Bearer ${sharing.token}` };
      const path = '/tiklive/userid/?username=shared';
      const first = await one?.request(path, headers);
      expect(first?.headers.get('weir-cache')).toBe('miss');
      const second = await two?.request(path, headers);
      expect([second?.status, second?.headers.get('weir-cache'), second?.text]).toEqual([200, 'hit', first?.text]);
      expect((await two?.request(path, headers))?.body.limitedBy).toBe('tenant-bucket');
    } finally {
      await Promise.all([one?.stop(), two?.stop()]);
      await redis.close();
    }
  }, 30_000);

  it('has the same over Kafka: a hold before the call, a settlement after it', async () => {
    const environment = { WEIR_BUS: 'kafka', WEIR_KAFKA_BROKERS: servers().kafkaBrokers, WEIR_TOPIC_PREFIX: freshPrefix() };
    const overKafka = await startFetcher({ database, dataDir, upstreamUrl: simulator.url, environment });
    try {
      const key = await overKafka.newKey('platform-secret');
      await overKafka.setCeiling({ keyId: key.id, perMinute: 1e6, burst: 1e5, concurrency: 0 });
      const caller = await overKafka.newTenant();
      // the news of the tenant travels over Kafka too
      await eventually(async () => expect((await caller.call('/catalog-of-nothing/')).body.code).toBe('unknown-endpoint'), 10_000);
      const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => caller.call(`/userid/?username=kafka_${i}`)));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      await eventually(async () => {
        const kinds = (await overKafka.usageOf(caller)).map(({ kind }) => kind);
        expect([kinds.filter((kind) => kind === 'held').length, kinds.filter((kind) => kind === 'settled').length]).toEqual([
          50, 50,
        ]);
      });
    } finally {
      await overKafka.stop();
    }
  }, 30_000);

  it('sends a sick upstream hardly more than its calls, and soon nothing: retries have a budget, the breaker opens (F5, F7)', async () => {
    simulator.faults.add({ kind: '503' });
    for (let i = 0; i < 100; i += 20) {
      for (const answer of await calls(20, i)) expect([answer.status, answer.body.code]).toEqual([502, 'upstream-failed']);
    }
    const asked = simulator.ledger.totals('platform-secret')[0]?.attempts ?? 0;
    expect(asked).toBeGreaterThanOrEqual(10);
    expect(asked).toBeLessThanOrEqual(60);
    const refused = await tenant.call('/userid/?username=late');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  }, 20_000);

  it('keeps both equations: the upstream took what is settled, the tenant pays what was charged, whatever went wrong between', async () => {
    simulator.faults.add({ kind: 'bad-json', share: 0.1, seed: 'a', charged: true });
    simulator.faults.add({ kind: '500', share: 0.1, seed: 'b' });
    simulator.faults.add({ kind: '429', retryAfter: 0, share: 0.05, seed: 'c' });
    const answers = [...(await calls(150)), ...(await calls(150, 75))];
    const credits = answers.reduce((sum, { headers }) => sum + Number(headers.get('weir-credits')), 0);
    await eventually(async () => {
      const usage = await fetcher.usageOf(tenant);
      const settled = usage.flatMap((record) => (record.kind === 'settled' ? [record] : []));
      expect(usage.filter(({ kind }) => kind === 'held').length).toBe(settled.length);
      expect(settled.reduce((sum, { upstreamCredits }) => sum + upstreamCredits, 0)).toBe(
        simulator.ledger.totals('platform-secret')[0]?.credits,
      );
      expect(settled.reduce((sum, { chargedCredits }) => sum + chargedCredits, 0)).toBe(credits);
    });
  }, 20_000);
});

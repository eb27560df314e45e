import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRedis } from '@weir/service-host';
import { eventually, freshDatabase, freshRedis, type TestDatabase, type TestRedis } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { startFetcher, type CallAnswer, type RunningFetcher, type SpecTenant } from '../testing/running-fetcher';

/** Two fetchers that share a Redis, as two processes do. */
describe('fetchers that share a cache', () => {
  let database: TestDatabase;
  let redis: TestRedis;
  let simulator: Simulator;
  let fetchers: readonly [RunningFetcher, RunningFetcher];
  let user = 0;
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-sharing-'));
  const someone = () => `/userid/?username=shared_${++user}`;
  const asked = () => simulator.ledger.totals('platform-secret')[0]?.attempts ?? 0;
  const at = (fetcher: RunningFetcher, tenant: SpecTenant, path: string, headers: Record<string, string> = {}): Promise<CallAnswer> =>
    fetcher.request(`/tiklive${path}`, { authorization: `Bearer ${tenant.token}`, ...headers });
  const cacheOf = (answer: CallAnswer) => answer.headers.get('weir-cache');

  beforeAll(async () => {
    [database, redis, simulator] = await Promise.all([freshDatabase(), freshRedis(), startSimulator()]);
    const environment = { WEIR_LIMITER: 'redis', WEIR_REDIS_URL: redis.url, WEIR_STALE_IF_ERROR: '3600' };
    const start = () => startFetcher({ database, dataDir, upstreamUrl: simulator.url, environment });
    fetchers = [await start(), await start()];
    simulator.keys.set({ key: 'platform-secret', credits: null, perMinute: null, burst: 1, scopes: ['download'], suspended: false });
    const key = await fetchers[0].newKey('platform-secret');
    await fetchers[0].setCeiling({ keyId: key.id, perMinute: 1e6, burst: 1e5, concurrency: 0 });
  }, 60_000);
  afterAll(async () => {
    await Promise.all(fetchers.map((fetcher) => fetcher.stop()));
    await Promise.all([simulator.close(), redis.close()]);
    await database.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);
  beforeEach(() => simulator.faults.clear());

  /** Known to both. */
  async function sharing(options: Parameters<RunningFetcher['newTenant']>[0] = {}): Promise<SpecTenant> {
    const tenant = await fetchers[0].newTenant(options);
    await eventually(async () => expect((await at(fetchers[1], tenant, '/nothing/')).status).toBe(404));
    return tenant;
  }

  it('make one upstream call of hundreds of concurrent misses of one thing in both; each caller is charged by its plan (F8)', async () => {
    const [one, two] = [await sharing({ terms: { coalescedPrice: 0 } }), await sharing({ terms: { coalescedPrice: 1 } })];
    simulator.faults.add({ kind: 'slow', ms: 500, endpoint: 'userid' });
    const before = asked();
    const path = someone();
    const answers = await Promise.all(
      Array.from({ length: 400 }, (_, i) => at(fetchers[i % 2] as RunningFetcher, i % 4 < 2 ? one : two, path)),
    );
    expect(asked()).toBe(before + 1);
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers.filter((answer) => cacheOf(answer) === 'miss')).toHaveLength(1);
    // whoever comes when it has landed finds it kept
    expect(answers.filter((answer) => cacheOf(answer) === 'coalesced').length).toBeGreaterThan(0);
    for (const tenant of [one, two]) {
      const credits = answers.reduce((sum, { headers }, i) => sum + ((i % 4 < 2 ? one : two) === tenant ? Number(headers.get('weir-credits')) : 0), 0);
      await eventually(async () => {
        const usage = await fetchers[0].usageOf(tenant);
        expect(usage.reduce((sum, record) => sum + (record.kind === 'held' ? 0 : record.chargedCredits), 0)).toBe(credits);
      });
    }
  }, 30_000);

  it('share a fresh answer too, where both were asked for one at once', async () => {
    const tenant = await sharing();
    simulator.faults.add({ kind: 'slow', ms: 500, endpoint: 'userid' });
    const before = asked();
    const path = someone();
    const answers = await Promise.all(fetchers.map((fetcher) => at(fetcher, tenant, path, { 'weir-max-age': '0' })));
    expect(answers.map(cacheOf).sort()).toEqual(['coalesced', 'miss']);
    expect(asked()).toBe(before + 1);
  });

  it('fetch themselves when the one that led is dead (F8)', async () => {
    const tenant = await sharing();
    const path = '/userid/?username=of_the_dead';
    await at(fetchers[0], tenant, path);
    const connection = openRedis({ redisUrl: redis.url }, { onError: () => undefined, commandTimeoutMs: 1_000 });
    try {
      // as a process leaves it that was killed amid its call: a lease that nobody renews, and no answer
      const [kept] = await eventually(async () => {
        const keys = await connection.keys('*username=of_the_dead');
        expect(keys).toHaveLength(1);
        return keys;
      });
      await connection.del(kept ?? '');
      const name = (kept ?? '').slice((kept ?? '').indexOf('ten_'));
      await connection.set(`weir:flight:${name}`, 'a dead one', 'PX', 1_500);
      const before = asked();
      const answers = await Promise.all([...fetchers, ...fetchers].map((fetcher) => at(fetcher, tenant, path)));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      expect(asked()).toBe(before + 1);
    } finally {
      connection.disconnect();
    }
  });

  it('go on without each other while Redis holds nothing for them, and lose no call', async () => {
    const tenant = await sharing();
    simulator.faults.add({ kind: '503', times: 1 });
    const answers = await Promise.all(fetchers.map((fetcher) => at(fetcher, tenant, someone())));
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demand, type Demand } from '@weir/contracts';
import { sleep } from '@weir/kernel';
import { eventually, freshDatabase, freshRedis, type TestDatabase, type TestRedis } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { startFetcher, type CallAnswer, type RunningFetcher, type SpecTenant } from '../testing/running-fetcher';

/** What a caller sees of limits, over two fetchers and one Redis. */
describe('limits, as a caller meets them', () => {
  let database: TestDatabase;
  let redis: TestRedis;
  let simulator: Simulator;
  let fetchers: readonly RunningFetcher[];
  let fetcher: RunningFetcher;
  let other: RunningFetcher;
  let dataDir: string;
  let keys = 0;
  let user = 0;

  const someone = () => `/userid/?username=limited_${++user}`;
  const retryAfterS = (answer: CallAnswer) => Number(answer.headers.get('retry-after'));
  const statuses = (answers: readonly CallAnswer[]) => answers.map(({ status }) => status);
  const on = (one: RunningFetcher, tenant: SpecTenant, headers: Record<string, string> = {}) =>
    one.request(`/tiklive${someone()}`, { authorization: `Bearer ${tenant.token}`, ...headers });

  /** The only platform key that there is, from now on, with that ceiling. */
  async function platformKey(ceiling: { perMinute: number; burst: number }): Promise<{ secret: string; remove(): Promise<void> }> {
    const secret = `platform-${++keys}`;
    simulator.keys.set({ key: secret, credits: null, perMinute: null, burst: 1, scopes: ['download'], suspended: false });
    const key = await fetcher.newKey(secret);
    await fetcher.setCeiling({ keyId: key.id, concurrency: 0, ...ceiling });
    await eventually(async () => expect((await on(other, await fetcher.newTenant({ terms: { dailyCredits: 0 } }))).body.limitedBy).toBe('daily-quota'));
    return { secret, remove: () => fetcher.removeKey(key) };
  }

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'weir-limits-'));
    [database, redis, simulator] = await Promise.all([freshDatabase(), freshRedis(), startSimulator()]);
    const environment = { WEIR_LIMITER: 'redis', WEIR_REDIS_URL: redis.url, WEIR_DEMAND_EVERY_MS: '100' };
    // one after the other: the first makes what the second finds
    fetcher = await startFetcher({ database, dataDir, upstreamUrl: simulator.url, environment });
    other = await startFetcher({ database, dataDir, upstreamUrl: simulator.url, environment });
    fetchers = [fetcher, other];
  }, 60_000);
  afterAll(async () => {
    await Promise.all(fetchers.map((one) => one.stop()));
    await simulator.close();
    await redis.close();
    await database.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);

  describe('on a shared key', () => {
    let key: { secret: string; remove(): Promise<void> };
    beforeEach(async () => {
      key = await platformKey({ perMinute: 120, burst: 5 });
    });
    afterEach(() => key.remove());

    it('gives a refused call a ticket, with which it is admitted at Retry-After, on whichever process (L9)', async () => {
      const [busy, another] = await Promise.all([fetcher.newTenant(), fetcher.newTenant()]);
      const first = await Promise.all(Array.from({ length: 8 }, (_, i) => on(fetcher, i % 2 ? busy : another)));
      const refused = first.find(({ status, headers }) => status === 429 && headers.has('weir-ticket')) as CallAnswer;
      expect(refused).toMatchObject({ body: { code: 'rate-limited', origin: 'weir' } });
      expect(['fair-share', 'upstream-key']).toContain(refused.body.limitedBy);
      const by = first.indexOf(refused) % 2 ? busy : another;
      // others do not stop meanwhile, as fast as they are answered
      let ended = false;
      const noise = (async () => {
        while (!ended) await on(fetcher, by === busy ? another : busy);
      })();
      await sleep(retryAfterS(refused) * 1_000);
      const back = await on(other, by, { 'weir-ticket': refused.headers.get('weir-ticket') ?? '' });
      ended = true;
      await noise;
      expect([back.status, back.body.limitedBy]).toEqual([200, undefined]);
    }, 15_000);

    it('holds a call for its slot when the caller asks for it, and says how long that was', async () => {
      const tenant = await fetcher.newTenant({ terms: { maxWaitMs: 10_000 } });
      const answers = await Promise.all(Array.from({ length: 8 }, () => on(fetcher, tenant, { 'weir-max-wait': '10' })));
      expect(statuses(answers)).toEqual(Array(8).fill(200));
    }, 15_000);

    it('leaves no slot behind for a held caller that goes away', async () => {
      const [gone, stays] = await Promise.all([
        fetcher.newTenant({ terms: { maxWaitMs: 30_000, concurrency: 20, dailyCredits: 100 } }),
        fetcher.newTenant({ terms: { maxWaitMs: 30_000 } }),
      ]);
      await Promise.all(Array.from({ length: 5 }, () => on(fetcher, stays)));
      const leaving = new AbortController();
      const held = Array.from({ length: 12 }, () =>
        fetch(`${fetcher.url}/tiklive${someone()}`, {
          headers: { authorization: `Bearer ${gone.token}`, 'weir-max-wait': '30' },
          signal: leaving.signal,
        }).catch(() => undefined),
      );
      await sleep(300);
      leaving.abort();
      await Promise.all(held);
      // nobody is ahead: the next call waits for the bucket alone, and not for twelve slots of half a second
      await eventually(async () => {
        const answer = await on(other, stays);
        expect(answer.status === 200 || retryAfterS(answer) <= 1).toBe(true);
      }, 3_000);
      await sleep(700);
      const { headers } = await on(fetcher, gone);
      expect(headers.get('ratelimit')).toMatch(/"concurrency";r=(19|20)/);
    }, 15_000);

    it('counts what was admitted, refused, promised and held, for the shares', async () => {
      const tenant = await fetcher.newTenant({ terms: { maxWaitMs: 3_000 } });
      const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => on(fetcher, tenant, i % 2 ? { 'weir-max-wait': '3' } : {})));
      const tickets = answers.filter(({ headers }) => headers.has('weir-ticket')).length;
      await eventually(async () => {
        const counted = await demandOf(tenant);
        expect(sum(counted, ({ admitted }) => admitted)).toBe(answers.filter(({ status }) => status === 200).length);
        expect(sum(counted, ({ refused }) => sum(Object.values(refused), (calls) => calls))).toBe(answers.filter(({ status }) => status === 429).length);
        expect(sum(counted, ({ promised }) => promised)).toBe(tickets);
        expect(sum(counted, ({ waited }) => waited)).toBeGreaterThan(0);
        expect(Math.max(...counted.map(({ longestWaitMs }) => longestWaitMs))).toBeGreaterThan(100);
      });
    }, 15_000);
  });

  describe('of a tenant', () => {
    let key: { secret: string; remove(): Promise<void> };
    beforeAll(async () => {
      key = await platformKey({ perMinute: 1e6, burst: 1e5 });
    });
    afterAll(() => key.remove());

    it('says Retry-After and the resets correctly to the second, by the wall clock (L9)', async () => {
      const tenant = await fetcher.newTenant({ terms: { bucket: { capacity: 2, refillPerSecond: 0.5 } } });
      await on(fetcher, tenant);
      await on(fetcher, tenant);
      const refusedAt = Date.now();
      const refused = await on(other, tenant);
      expect([refused.status, refused.body.limitedBy, retryAfterS(refused)]).toEqual([429, 'tenant-bucket', 2]);
      // 4 s until both are back
      const reset = Number(refused.headers.get('x-ratelimit-reset')) * 1_000;
      expect(Math.abs(reset - (refusedAt + 4_000))).toBeLessThanOrEqual(1_500);
      expect(refused.headers.get('ratelimit-policy')).toContain('"tenant-bucket";q=2;w=4');
      expect(refused.headers.get('ratelimit')).toMatch(/"tenant-bucket";r=0;t=4/);
      await sleep(refusedAt + 1_000 - Date.now());
      const early = await on(fetcher, tenant);
      // a machine that is busy may be a second late
      if (Date.now() < refusedAt + 1_500) expect([early.status, retryAfterS(early)]).toEqual([429, 1]);
      await sleep(refusedAt + 2_000 - Date.now());
      expect((await on(fetcher, tenant)).status).toBe(200);
    }, 15_000);

    it('closes at its budget: of 1,000 calls at once with one credit left, one (M10)', async () => {
      const tenant = await fetcher.newTenant({ terms: { dailyCredits: 100_000, concurrency: 5_000 } });
      await Promise.all(fetchers.map((one) => one.setBudgets(tenant, { period: 'month', of: new Date().toISOString().slice(0, 7), limitCredits: 8, usedCredits: 7 })));
      const answers = await Promise.all(Array.from({ length: 1_000 }, (_, i) => on(fetchers[i % 2] as RunningFetcher, tenant)));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      const refused = answers.find(({ status }) => status === 429) as CallAnswer;
      expect(refused.body).toMatchObject({ code: 'rate-limited', origin: 'weir', limitedBy: 'budget', limit: 8 });
    }, 30_000);

    it('is held for a place among its calls under way, which is free when one of them ends and not when its lease does', async () => {
      const tenant = await fetcher.newTenant({ terms: { concurrency: 1, maxWaitMs: 10_000 } });
      simulator.faults.add({ kind: 'slow', ms: 700, key: key.secret, times: 1 });
      const first = on(fetcher, tenant);
      await sleep(200);
      const refused = await on(other, tenant);
      expect([refused.status, refused.body.limitedBy, retryAfterS(refused)]).toEqual([429, 'concurrency', 1]);
      const held = await on(other, tenant, { 'weir-max-wait': '10' });
      expect([held.status, (await first).status]).toEqual([200, 200]);
    }, 15_000);

    it('is not closed by a soft budget, nor by one of another project or of last month', async () => {
      const tenant = await fetcher.newTenant();
      await fetcher.setBudgets(tenant, { hard: false }, { projectId: 'prj_another' }, { period: 'month', of: '2020-01', limitCredits: 5, usedCredits: 5 });
      expect((await on(fetcher, tenant)).status).toBe(200);
    });

    it('counts what a shadow policy would refuse, and refuses nothing; the limits in force stay', async () => {
      const tenant = await fetcher.newTenant({ terms: { dailyCredits: 5 } });
      await fetcher.setPolicy(tenant, { name: 'tenant-bucket', limit: 1, refillPerSecond: 0.001, shadow: true }, { name: 'daily-quota', limit: 2, shadow: true });
      const answers = [];
      for (let i = 0; i < 6; i++) answers.push(await on(fetcher, tenant));
      expect(statuses(answers)).toEqual([200, 200, 200, 200, 200, 429]);
      expect(answers[5]?.body.limitedBy).toBe('daily-quota');
      expect(answers[0]?.headers.get('ratelimit-policy')).not.toContain('q=1;');
      await eventually(async () => {
        const counted: Record<string, number> = {};
        for (const { shadow } of await demandOf(tenant)) for (const [name, calls] of Object.entries(shadow)) counted[name] = (counted[name] ?? 0) + calls;
        expect(counted).toEqual({ 'tenant-bucket': 5, 'daily-quota': 4 });
      });
    }, 15_000);

    it('is limited on each endpoint by a wildcard override, until it expires', async () => {
      const tenant = await fetcher.newTenant();
      await fetcher.setPolicy(tenant, { name: 'endpoint:*', limit: 1, refillPerSecond: 0.001, expiresAt: Date.now() + 2_000 });
      expect((await on(fetcher, tenant)).status).toBe(200);
      const refused = await on(fetcher, tenant);
      expect(refused).toMatchObject({ status: 429, body: { limitedBy: 'tenant-bucket', policy: 'endpoint-bucket', limit: 1 } });
      expect((await fetcher.request('/tiklive/music-info/?url=https://www.tiktok.com/music/x-7000000000000000001', { authorization: `Bearer ${tenant.token}` })).status).not.toBe(429);
      await eventually(async () => expect((await on(fetcher, tenant)).status).toBe(200));
    }, 15_000);

    it('refuses a call of a word that is no priority', async () => {
      const tenant = await fetcher.newTenant();
      expect((await on(fetcher, tenant, { 'weir-priority': 'batch' })).status).toBe(200);
      expect(await on(fetcher, tenant, { 'weir-priority': 'urgent' })).toMatchObject({ status: 400, body: { code: 'invalid-request' } });
      expect((await on(fetcher, tenant, { 'weir-ticket': 'no ticket of ours' })).status).toBe(200);
    });
  });

  it('is divided among as many processes as there are, should Redis go: they hear of each other', async () => {
    const countedBy = async (one: RunningFetcher) =>
      /^weir_limiter_replicas (\d+)$/m.exec(await (await fetch(`${one.managementUrl}/metrics`)).text())?.[1];
    for (const one of fetchers) await eventually(async () => expect(await countedBy(one)).toBe('2'));
  }, 15_000);

  it('lets a 429 that one process met slow the other at once, for as long as the upstream says', async () => {
    const key = await platformKey({ perMinute: 1e6, burst: 1e5 });
    const tenant = await fetcher.newTenant();
    simulator.faults.add({ kind: '429', retryAfter: 3, key: key.secret, times: 1 });
    const met = await on(fetcher, tenant);
    expect(met).toMatchObject({ status: 429, body: { origin: 'upstream', limitedBy: 'upstream' } });
    const heardAt = Date.now();
    const slowed = await on(other, tenant);
    expect(slowed).toMatchObject({ status: 429, body: { origin: 'upstream', limitedBy: 'upstream' } });
    expect(retryAfterS(slowed)).toBeGreaterThanOrEqual(2);
    expect(retryAfterS(slowed)).toBeLessThanOrEqual(3);
    await sleep(heardAt + 3_050 - Date.now());
    expect((await on(other, tenant)).status).toBe(200);
    await key.remove();
  }, 15_000);

  /** What the first fetcher has said of it so far. */
  const demandOf = async (tenant: SpecTenant): Promise<Demand[]> =>
    (await fetcher.records(demand)).filter(({ tenantId }) => tenantId === tenant.id);
});

const sum = <T>(all: readonly T[], of: (one: T) => number): number => all.reduce((total, one) => total + of(one), 0);

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freshDatabase, type TestDatabase } from '@weir/testing';
import { startSimulator, type NewFault, type Simulator } from '@weir/tiklive-simulator';
import { startFetcher, type RunningFetcher, type SpecTenant } from '../testing/running-fetcher';

/** A clock that the spec moves: what grows old grows old at once. */
let ahead = 0;
const realNow = Date.now;

/** What the caller gets when the upstream fails or is late. */
describe('a call whose upstream fails or is late', () => {
  let database: TestDatabase;
  let simulator: Simulator;
  let fetcher: RunningFetcher;
  let tenant: SpecTenant;
  let user = 0;
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-lateness-'));
  const someone = () => `/userid/?username=late_${++user}`;
  const fault = (kind: NewFault) => simulator.faults.add(kind);
  const asked = () => simulator.ledger.totals('platform-secret')[0]?.attempts ?? 0;

  beforeAll(async () => {
    Date.now = () => realNow() + ahead;
    [database, simulator] = await Promise.all([freshDatabase(), startSimulator()]);
    const environment = { WEIR_STALE_IF_ERROR: '600' };
    fetcher = await startFetcher({ database, dataDir, upstreamUrl: simulator.url, environment });
    simulator.keys.set({ key: 'platform-secret', credits: null, perMinute: null, burst: 1, scopes: ['download'], suspended: false });
    const key = await fetcher.newKey('platform-secret');
    await fetcher.setCeiling({ keyId: key.id, perMinute: 1e6, burst: 1e5, concurrency: 0 });
    tenant = await fetcher.newTenant({ terms: { hitPrice: 0 } });
  }, 60_000);
  afterAll(async () => {
    await fetcher.stop();
    await simulator.close();
    await database.drop();
    rmSync(dataDir, { recursive: true, force: true });
    Date.now = realNow;
  }, 60_000);
  beforeEach(() => simulator.faults.clear());

  it('is answered with an older answer within the bound, marked stale, at the price of a hit; not beyond, and not to who said how old', async () => {
    const path = someone();
    const first = await tenant.call(path);
    await eventually(async () => expect((await tenant.call(path)).headers.get('weir-cache')).toBe('hit'));
    ahead += 16 * 60_000;
    fault({ kind: '500' });
    const stale = await tenant.call(path);
    expect([stale.status, stale.headers.get('weir-cache'), stale.headers.get('weir-credits'), stale.text]).toEqual([200, 'stale', '0', first.text]);
    expect(Number(stale.headers.get('age'))).toBeGreaterThanOrEqual(960);
    await eventually(async () => expect(await fetcher.usageOf(tenant)).toContainEqual(expect.objectContaining({ kind: 'served', cache: 'stale' })));
    expect((await tenant.call(path, { 'weir-max-age': '3600' })).status).toBe(502);
    ahead += 10 * 60_000;
    expect((await tenant.call(path)).body.code).toBe('upstream-failed');
  });

  it("waits no longer than the caller's deadline, is not charged, and opens no breaker: the upstream had time left", async () => {
    const hasty = await fetcher.newTenant();
    fault({ kind: 'slow', ms: 1_500 });
    const answers = await Promise.all(Array.from({ length: 12 }, () => hasty.call(someone(), { 'weir-timeout': '1' })));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.code}`))).toEqual(new Set(['504 upstream-timeout']));
    simulator.faults.clear();
    expect((await hasty.call(someone())).status).toBe(200);
    const records = await fetcher.usageOf(hasty);
    expect(records.filter(({ kind }) => kind === 'held')).toHaveLength(13);
    await eventually(async () =>
      expect((await fetcher.usageOf(hasty)).reduce((sum, record) => sum + (record.kind === 'settled' ? record.chargedCredits : 0), 0)).toBe(1),
    );
    expect((await hasty.call(someone(), { 'weir-timeout': 'soon' })).status).toBe(400);
  });

  it('lets one who waits longer lead when the deadline of the one who led is over', async () => {
    fault({ kind: 'slow', ms: 1_500, times: 1 });
    const path = someone();
    const hasty = tenant.call(path, { 'weir-timeout': '1' });
    await eventually(async () => expect(asked()).toBeGreaterThan(0));
    const patient = tenant.call(path);
    expect((await hasty).status).toBe(504);
    expect((await patient).status).toBe(200);
  });

  it('is tried at most three times, over all keys: what follows an attempt that was sent is more load than was asked for (F5)', async () => {
    const others = await Promise.all([1, 2, 3, 4].map((n) => fetcher.newKey(`nobody-knows-${n}`, { weight: 1e9 })));
    try {
      const before = simulator.ledger.page({ limit: 10_000 }).data.length;
      const answer = await tenant.call(someone());
      expect([answer.status, answer.body.code]).toEqual([503, 'upstream-unavailable']);
      expect(simulator.ledger.page({ limit: 10_000 }).data.length - before).toBeLessThanOrEqual(3);
    } finally {
      for (const key of others) await fetcher.removeKey(key);
    }
  });
});

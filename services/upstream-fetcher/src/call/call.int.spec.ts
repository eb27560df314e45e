import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { upstreamSignal, type UpstreamKeyState } from '@weir/contracts';
import { newId } from '@weir/kernel';
import { eventually, freshDatabase, freshRedis, type TestDatabase, type TestRedis } from '@weir/testing';
import { startSimulator, type NewFault, type Simulator } from '@weir/tiklive-simulator';
import { startFetcher, type RunningFetcher, type SpecTenant } from '../testing/running-fetcher';

/** The way of one call, over a real upstream's stand-in, a real bus and a real database, with each of the limiter's stores. */
describe.each(['memory', 'redis'] as const)('a call, limits counted in %s', (limiter) => {
  let database: TestDatabase;
  let redis: TestRedis;
  let simulator: Simulator;
  let fetcher: RunningFetcher;
  let dataDir: string;
  let platformKey: UpstreamKeyState;
  let user = 0;

  /** Nobody has asked for this one yet. */
  const someone = () => `/userid/?username=user_${limiter}_${++user}`;
  const fault = (kind: NewFault) => simulator.faults.add(kind);
  const ledgerOf = (key: string) => simulator.ledger.page({ key, limit: 10_000 }).data;

  /** A tenant on a key of its own, which the simulator knows. */
  async function tenantWithOwnKey(options: Parameters<RunningFetcher['newTenant']>[0] = {}): Promise<{ tenant: SpecTenant; secret: string; key: UpstreamKeyState }> {
    const tenant = await fetcher.newTenant({ ...options, state: { keyMode: 'byo', ...options.state } });
    const secret = `own-${tenant.id}`;
    simulator.keys.set({ key: secret, credits: null, perMinute: null, burst: 1, scopes: ['download'], suspended: false });
    return { tenant, secret, key: await fetcher.newKey(secret, { owner: tenant.id }) };
  }

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'weir-fetcher-'));
    [database, redis, simulator] = await Promise.all([freshDatabase(), freshRedis(), startSimulator()]);
    fetcher = await startFetcher({
      database,
      dataDir,
      upstreamUrl: simulator.url,
      environment: { WEIR_SIMULATOR_URL: simulator.url, WEIR_LIMITER: limiter, WEIR_REDIS_URL: redis.url },
    });
    simulator.keys.set({ key: 'platform-secret', credits: null, perMinute: null, burst: 1, scopes: ['download'], suspended: false });
    platformKey = await fetcher.newKey('platform-secret');
    await fetcher.setCeiling({ keyId: platformKey.id, perMinute: 1e6, burst: 1e5, concurrency: 0 });
  }, 60_000);

  afterAll(async () => {
    await fetcher?.stop();
    await Promise.all([simulator?.close(), redis?.close()]);
    await database?.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);

  beforeEach(() => simulator.faults.clear());

  it("answers with the upstream's body byte for byte, and says whose key, what it cost and what is left", async () => {
    const tenant = await fetcher.newTenant({ terms: { dailyCredits: 100 } });
    const path = someone();
    const answer = await tenant.call(path);
    expect(answer).toMatchObject({ status: 200, body: { id: expect.any(String) } });
    const direct = await fetch(simulator.url + path, { headers: { 'x-api-key': 'sim_test_key' } });
    expect(answer.text).toBe(await direct.text());
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'weir-request-id': expect.stringMatching(/^req_/),
      'weir-credits': '1',
      'weir-key': 'platform',
      'weir-cache': 'miss',
      ratelimit: expect.stringContaining('"daily-quota";r=99'),
      'ratelimit-policy': expect.stringContaining('"daily-quota";q=100'),
      'x-ratelimit-limit': expect.any(String),
      'content-type': expect.stringContaining('application/json'),
    });
  });
});

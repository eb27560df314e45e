import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { catalogDrift } from '@weir/contracts';
import { eventually, freshDatabase, type TestDatabase } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { startFetcher, type RunningFetcher, type SpecTenant } from '../testing/running-fetcher';

describe('an upstream whose answers change', () => {
  let database: TestDatabase;
  let simulator: Simulator;
  let fetcher: RunningFetcher;
  let tenant: SpecTenant;
  let user = 0;
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-drift-'));
  const profile = () => `/userinfo-by-username/?username=drift_${++user}`;
  const told = async () => (await fetcher.records(catalogDrift)).map(({ endpoint, differences }) => ({ endpoint, differences }));

  beforeAll(async () => {
    [database, simulator] = await Promise.all([freshDatabase(), startSimulator()]);
    fetcher = await startFetcher({ database, dataDir, upstreamUrl: simulator.url });
    simulator.keys.set({ key: 'platform-secret', credits: null, perMinute: null, burst: 1, scopes: ['download'], suspended: false });
    const key = await fetcher.newKey('platform-secret');
    await fetcher.setCeiling({ keyId: key.id, perMinute: 1e6, burst: 1e5, concurrency: 0 });
    tenant = await fetcher.newTenant();
  }, 60_000);
  afterAll(async () => {
    await fetcher.stop();
    await simulator.close();
    await database.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);
  beforeEach(() => simulator.faults.clear());

  it('is told of with a difference and a metric, once, while the answers go on their way', async () => {
    simulator.faults.add({ kind: 'shape-drift', field: 'user.nickname' });
    const renamed = {
      endpoint: 'userinfo-by-username',
      differences: [
        { path: 'user.nickname', expected: 'string', found: 'missing' },
        { path: 'user.nickname_v2', expected: 'nothing', found: 'string' },
      ],
    };
    await eventually(async () => {
      expect((await tenant.call(profile())).status).toBe(200);
      expect(await told()).toEqual([renamed]);
    });
    const counted = async () => Number(/weir_catalog_drift_total\{endpoint="userinfo-by-username"\} (\d+)/.exec(await (await fetch(`${fetcher.managementUrl}/metrics`)).text())?.[1] ?? 0);
    await eventually(async () => {
      expect((await tenant.call(profile())).status).toBe(200);
      expect(await counted()).toBeGreaterThanOrEqual(2);
    }, 10_000);
    expect(await told()).toEqual([renamed]);
  }, 20_000);

  it('is an answer of 502 where it lacks what the catalog requires, and told all the same (F10)', async () => {
    simulator.faults.add({ kind: 'shape-drift', field: 'user.secUid' });
    const answer = await tenant.call(profile());
    expect([answer.status, answer.body.code, answer.headers.get('weir-credits')]).toEqual([502, 'upstream-failed', '0']);
    await eventually(async () =>
      expect(await told()).toContainEqual({
        endpoint: 'userinfo-by-username',
        differences: [{ path: 'user.secUid', expected: 'string', found: 'missing' }],
      }),
    );
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freshDatabase, type TestDatabase } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { startFetcher, type RunningFetcher, type SpecTenant } from '../testing/running-fetcher';

describe('M3 a fetcher whose broker is away', () => {
  let database: TestDatabase;
  let simulator: Simulator;
  let dataDir: string;
  let fetcher: RunningFetcher;
  let tenant: SpecTenant;

  const start = async (environment: Record<string, string>) => {
    fetcher = await startFetcher({ database, dataDir, upstreamUrl: simulator.url, environment: { WEIR_HOLD_TIMEOUT_MS: '1000', ...environment } });
    await fetcher.newKey('platform-secret');
    tenant = await fetcher.newTenant();
  };
  const calls = (from: number, count: number) => Promise.all(Array.from({ length: count }, (_, i) => tenant.call(`/userid/?username=away_${from + i}`)));

  beforeEach(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'weir-away-'));
    [database, simulator] = await Promise.all([freshDatabase(), startSimulator()]);
    simulator.keys.set({ key: 'platform-secret', credits: null, perMinute: null, burst: 1, scopes: [], suspended: false });
  }, 60_000);
  afterEach(async () => {
    await fetcher?.stop();
    await simulator?.close();
    await database?.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);

  it.each(['failing', 'hanging'] as const)('(%s) serves on with a durable volume, and delivers every record when the broker is back', async (trouble) => {
    await start({ WEIR_USAGE_BACKLOG_DIR: join(dataDir, 'backlog') });
    fetcher.setBus(trouble);
    const answers = [...(await calls(0, 5)), ...(await calls(5, 5))];
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
    const ready = await fetch(`${fetcher.managementUrl}/readyz`);
    expect(await ready.json()).toMatchObject({ checks: { 'usage backlog': { state: 'degraded' } } });
    fetcher.setBus('up');
    await eventually(async () => {
      const usage = await fetcher.usageOf(tenant);
      const ids = (kind: string) => new Set(usage.filter((record) => record.kind === kind).map(({ eventId }) => eventId)).size;
      expect([ids('held'), ids('settled')]).toEqual([10, 10]);
    }, 10_000);
    expect(simulator.ledger.totals('platform-secret')).toMatchObject([{ credits: 10 }]);
  }, 30_000);

  it('delivers after a restart what it had on the disk', async () => {
    const environment = { WEIR_USAGE_BACKLOG_DIR: join(dataDir, 'backlog') };
    await start(environment);
    fetcher.setBus('failing');
    expect((await calls(0, 5)).map(({ status }) => status)).toEqual(Array(5).fill(200));
    await fetcher.stop();
    const first = tenant;
    await start(environment);
    await eventually(async () => {
      const kinds = (await fetcher.usageOf(first)).map(({ kind }) => kind).sort();
      expect(kinds).toEqual([...Array(5).fill('held'), ...Array(5).fill('settled')]);
    }, 10_000);
  }, 40_000);

  it('refuses once the volume’s share is used up, and without a volume at once: nothing is served unmetered', async () => {
    await start({ WEIR_USAGE_BACKLOG_DIR: join(dataDir, 'backlog'), WEIR_USAGE_BACKLOG_BYTES: '65536' });
    fetcher.setBus('failing');
    const statuses: number[] = [];
    for (let i = 0; i < 100; i += 10) statuses.push(...(await calls(i, 10)).map(({ status }) => status));
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(10);
    expect((await calls(200, 1))[0]).toMatchObject({ status: 503, body: { code: 'not-accountable' } });
    fetcher.setBus('up');
    await fetcher.stop();
    await start({});
    fetcher.setBus('failing');
    expect((await calls(300, 1))[0]).toMatchObject({ status: 503, body: { code: 'not-accountable' } });
    fetcher.setBus('up');
  }, 40_000);
});

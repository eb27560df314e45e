import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { client, eventually, freshDatabase, startSecondUpstream, type SecondUpstream, type TestDatabase } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { Client as Postgres } from 'pg';
import { startFetcher, type RunningFetcher, type SpecTenant } from '../testing/running-fetcher';

/** A second upstream is a catalog file and a base path, for what is fetched in bulk and by the clock too. */
describe('bulk fetches and schedules of a second upstream', () => {
  let database: TestDatabase;
  let simulator: Simulator;
  let provider: SecondUpstream;
  let fetcher: RunningFetcher;
  let tenant: SpecTenant;
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-second-jobs-'));
  const api = (method: string, path: string, body?: unknown) => client(fetcher.url, tenant.token)(method, `/v1/tenants/${tenant.id}${path}`, body);

  beforeAll(async () => {
    provider = await startSecondUpstream(dataDir);
    [database, simulator] = await Promise.all([freshDatabase(), startSimulator()]);
    const environment = { ...provider.environment, WEIR_JOBS_EVERY_MS: '20', WEIR_JOB_LEASE_MS: '2000' };
    fetcher = await startFetcher({ database, dataDir, upstreamUrl: simulator.url, environment });
    simulator.keys.set({ key: 'platform-secret', credits: null, perMinute: null, burst: 1, scopes: [], suspended: false });
    await fetcher.newKey('platform-secret');
  }, 60_000);
  beforeEach(async () => {
    tenant = await fetcher.newTenant({ role: 'admin' });
  });
  afterAll(async () => {
    await fetcher?.stop();
    await simulator?.close();
    await provider.close();
    await database?.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);

  const finished = async (of: (job: { id: string; scheduleId: string | null }) => boolean) => {
    let found: any; // eslint-disable-line @typescript-eslint/no-explicit-any
    await eventually(async () => {
      found = (await api('GET', '/fetch-jobs')).body.data.find(of);
      expect(found?.status).toBe('finished');
    }, 15_000);
    return found;
  };

  it('are quoted by its prices and the rate of its own keys, fetched with those, page by page, and charged', async () => {
    const key = await fetcher.newKey('quotes-secret', { upstream: 'quotes' });
    const body = { endpoint: 'quote-trades', targets: ['ABC', 'DEF', 'NONE'], pages: 3 };
    const quote = await api('POST', '/fetch-jobs/quote', body);
    expect([quote.status, quote.body]).toMatchObject([200, { items: 3, credits: { expected: 18, atMost: 18 }, inTime: true }]);
    const { body: made } = await api('POST', '/fetch-jobs', body);
    const job = await finished(({ id }) => id === made.id);
    const results = String((await api('GET', `/fetch-jobs/${made.id}/results`)).body).trim().split('\n').map((line) => JSON.parse(line));
    expect(results.map(({ item, page, status, params }) => [item, page, status, params.after])).toEqual([
      [1, 1, 200, '0'], [1, 2, 200, '1'], [1, 3, 200, '2'],
      [2, 1, 200, '0'], [2, 2, 200, '1'], [2, 3, 200, '2'],
      [3, 1, 404, '0'],
    ]);
    expect(job).toMatchObject({ items: { total: 7, succeeded: 7 }, credits: { quoted: 18, charged: 14 } });
    expect(new Set(provider.asked.map(({ token }) => token))).toEqual(new Set(['quotes-secret']));

    // its keys are slow now; the first upstream's are not
    await fetcher.setCeiling({ keyId: key.id, perMinute: 1, burst: 1, concurrency: 0 });
    const minutes = async (asked: object) => (Date.parse((await api('POST', '/fetch-jobs/quote', asked)).body.finishesAt) - Date.now()) / 60_000;
    await eventually(async () => expect(await minutes({ endpoint: 'quote', targets: ['X', 'Y', 'Z'] })).toBeGreaterThan(1));
    expect(await minutes({ endpoint: 'userid', targets: ['x', 'y', 'z'] })).toBeLessThan(1);
    await fetcher.removeKey(key);
  }, 30_000);

  it('are of one upstream each: a job that mixes them is refused with the item that does not fit', async () => {
    const items = [{ endpoint: 'quote', params: { symbol: 'ABC' } }, { endpoint: 'userid', params: { username: 'anna' } }];
    const refused = await api('POST', '/fetch-jobs', { items });
    expect([refused.status, refused.body.problems]).toEqual([400, [{ item: 2, problem: expect.stringContaining('not of the same upstream') }]]);
  });

  it('come by the clock', async () => {
    const key = await fetcher.newKey('quotes-secret', { upstream: 'quotes' });
    expect((await api('POST', '/refresh-schedules', { endpoint: 'quote', targets: ['GHI'] })).body.field).toBe('cron');
    expect((await api('POST', '/refresh-schedules', { endpoint: 'quote-trades', targets: ['GHI'] })).body.cron).toBe('15 6 * * 1-5');
    const { status, body: schedule } = await api('POST', '/refresh-schedules', { endpoint: 'quote', targets: ['GHI', 'JKL'], cron: '0 6 * * *' });
    expect(status).toBe(201);
    const postgres = new Postgres({ connectionString: database.adminUrl });
    await postgres.connect();
    await postgres.query(`update weir_upstream_fetcher.schedule_turns set due_at = date_trunc('minute', now()) - interval '1 minute' where schedule_id = $1`, [schedule.id]);
    const job = await finished(({ scheduleId }) => scheduleId === schedule.id);
    expect(job).toMatchObject({ purpose: 'refresh', items: { succeeded: 2 }, credits: { charged: 6 } });
    const { rows } = await postgres.query('select upstream from weir_upstream_fetcher.schedule_turns where schedule_id = $1 union all select upstream from weir_upstream_fetcher.job_turns where job_id = $2', [schedule.id, job.id]);
    await postgres.end();
    expect(rows).toEqual([{ upstream: 'quotes' }, { upstream: 'quotes' }]);
    await fetcher.removeKey(key);
  }, 30_000);
});

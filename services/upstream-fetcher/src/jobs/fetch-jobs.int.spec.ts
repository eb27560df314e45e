import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { client, eventually, freshDatabase, type TestDatabase } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { Client as Postgres } from 'pg';
import { startFetcher, type RunningFetcher, type SpecTenant } from '../testing/running-fetcher';

const JOBS = { WEIR_JOBS_EVERY_MS: '20', WEIR_JOB_LEASE_MS: '2000', WEIR_JOB_PATIENCE_MS: '2000' };
const people = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `person${from + i}`);

/** Over a fetcher of its own each, which the cases may end or starve. */
describe('bulk fetches', () => {
  let database: TestDatabase;
  let simulator: Simulator;
  let fetcher: RunningFetcher;
  let tenant: SpecTenant;
  let dataDir: string;
  let keyId: string;

  const start = (environment = {}) => startFetcher({ database, dataDir, upstreamUrl: simulator.url, environment: { ...JOBS, ...environment } });
  const api = (of: { url: string } = fetcher) => client(of.url, tenant.token);
  const path = (rest = '') => `/v1/tenants/${tenant.id}/fetch-jobs${rest}`;
  const ended = async (id: string) => {
    let job: any; // eslint-disable-line @typescript-eslint/no-explicit-any
    await eventually(async () => {
      job = (await api()('GET', path(`/${id}`))).body;
      expect(job.status).toBe('finished');
    }, 15_000);
    return job;
  };
  const lines = async (id: string, query = '') =>
    String((await api()('GET', path(`/${id}/results${query}`))).body)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));

  beforeEach(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'weir-jobs-'));
    [database, simulator] = await Promise.all([freshDatabase(), startSimulator()]);
    fetcher = await start();
    simulator.keys.set({ key: 'platform-secret', credits: null, perMinute: null, burst: 1, scopes: ['download'], suspended: false });
    const key = await fetcher.newKey('platform-secret');
    keyId = key.id;
    await fetcher.setCeiling(ceiling(1e6));
    tenant = await fetcher.newTenant();
  }, 60_000);

  afterEach(async () => {
    await fetcher?.stop();
    await simulator?.close();
    await database?.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);

  const ceiling = (perMinute: number) => ({ keyId, perMinute, burst: Math.max(1, perMinute / 10), concurrency: 0 }) as never;

  it('are quoted, made, carried out and read as NDJSON; each item is a call of the tenant, on the record and charged', async () => {
    const body = { endpoint: 'userinfo-by-username', targets: [...people(24), 'person0'] };
    const quote = await api()('POST', path('/quote'), body);
    expect([quote.status, quote.body]).toEqual([200, expect.objectContaining({ items: 25, credits: { expected: 24, atMost: 25 }, expectedCacheHits: 1, inTime: true })]);
    const made = await api()('POST', path(), body);
    expect([made.status, made.body.status, made.headers.get('location')]).toEqual([201, 'waiting', path(`/${made.body.id}`)]);
    const job = await ended(made.body.id);
    expect(job).toMatchObject({ items: { total: 25, succeeded: 25, failed: 0, pending: 0 }, progress: 1, credits: { quoted: 24, charged: 24 }, cacheHits: 1 });
    const results = await lines(job.id);
    expect(results.map(({ item }) => item)).toEqual(Array.from({ length: 25 }, (_, i) => i + 1));
    expect(results[3]).toMatchObject({ endpoint: 'userinfo-by-username', params: { username: 'person3' }, ok: true, status: 200, body: { user: { uniqueId: 'person3' } } });
    expect((await lines(job.id, '?after=20.1')).map(({ item }) => item)).toEqual([21, 22, 23, 24, 25]);
    await eventually(async () => {
      const usage = await fetcher.usageOf(tenant);
      expect(usage.filter(({ kind }) => kind === 'settled')).toHaveLength(24);
      expect(usage.reduce((sum, record) => sum + (record.kind === 'settled' || record.kind === 'served' ? record.chargedCredits : 0), 0)).toBe(24);
      expect(simulator.ledger.totals('platform-secret')).toMatchObject([{ credits: 24 }]);
    });
  }, 30_000);

  it('take CSV, and name the items that cannot be fetched before any is', async () => {
    const csv = { 'content-type': 'text/csv' };
    const post = async (text: string, query = '') => {
      const response = await fetch(`${fetcher.url}${path()}${query}`, { method: 'POST', headers: { authorization: `Bearer ${tenant.token}`, ...csv }, body: text });
      return { status: response.status, body: (await response.json()) as any }; // eslint-disable-line @typescript-eslint/no-explicit-any
    };
    const made = await post('endpoint,username,userid,pages\nuserid,"alice",,\nuser-posts,,107955,2\n', '?name=mixed');
    expect([made.status, made.body.name]).toEqual([201, 'mixed']);
    await ended(made.body.id);
    expect((await lines(made.body.id)).map(({ item, page, endpoint }) => [item, page, endpoint])).toEqual([
      [1, 1, 'userid'],
      [2, 1, 'user-posts'],
      [2, 2, 'user-posts'],
    ]);
    const bad = await post('username\nalice\n"not a name!"\n', '?endpoint=userid');
    expect([bad.status, bad.body.problems]).toEqual([400, [{ item: 2, problem: expect.stringContaining('username does not have the form') }]]);
    expect(await post('username\nalice\n', '?endpoint=nothing')).toMatchObject({ status: 400, body: { code: 'invalid-request' } });
  }, 30_000);

  it('go on after their worker was killed, in another process, with nothing lost and nothing fetched again that had been kept', async () => {
    simulator.faults.add({ kind: 'slow', ms: 100 });
    const { body: job } = await api()('POST', path(), { endpoint: 'userid', targets: people(60) });
    await eventually(async () => expect((await api()('GET', path(`/${job.id}`))).body.items.succeeded).toBeGreaterThan(10));
    await fetcher.loseDatabase();
    const after = await start();
    try {
      await eventually(async () => {
        const { body } = await api(after)('GET', path(`/${job.id}`));
        expect([body.status, body.items.succeeded, body.items.failed]).toEqual(['finished', 60, 0]);
      }, 15_000);
      // those in flight at the end, and no more, may have been asked for twice
      expect(simulator.ledger.totals('platform-secret')[0]?.attempts).toBeLessThanOrEqual(60 + 4);
    } finally {
      await after.stop();
    }
  }, 40_000);

  it('stop when they are cancelled: nothing more is fetched, what was fetched stays', async () => {
    simulator.faults.add({ kind: 'slow', ms: 100 });
    const { body: job } = await api()('POST', path(), { endpoint: 'userid', targets: people(100) });
    await eventually(async () => expect((await api()('GET', path(`/${job.id}`))).body.items.succeeded).toBeGreaterThan(3));
    const cancelled = await api()('POST', path(`/${job.id}/cancel`));
    expect([cancelled.status, cancelled.body.status, cancelled.body.items.pending]).toEqual([200, 'cancelled', 0]);
    const asked = () => simulator.ledger.totals('platform-secret')[0]?.attempts ?? 0;
    const atCancel = asked();
    await eventually(async () => expect((await fetcher.usageOf(tenant)).filter(({ kind }) => kind === 'held').length).toBe(asked()));
    expect(asked()).toBeLessThanOrEqual(atCancel + 8);
    await eventually(async () => expect((await lines(job.id)).length).toBe(asked()));
    expect((await api()('POST', path(`/${job.id}/cancel`))).body.status).toBe('cancelled');
  }, 30_000);

  it('wait for a limit that lasts, and say until when and why', async () => {
    tenant = await fetcher.newTenant({ terms: { dailyCredits: 5 } });
    const { body: quote } = await api()('POST', path('/quote'), { endpoint: 'userid', targets: people(8, 100) });
    expect(quote).toMatchObject({ credits: { expected: 8 }, verdict: expect.stringMatching(/^Will (not )?finish/) });
    const midnight = new Date(Math.ceil(Date.now() / 86_400_000) * 86_400_000).toISOString();
    expect(quote.finishesAt >= midnight).toBe(true);
    const { body: job } = await api()('POST', path(), { endpoint: 'userid', targets: people(8, 100) });
    await eventually(async () => {
      const { body } = await api()('GET', path(`/${job.id}`));
      expect([body.status, body.items.succeeded, body.items.pending, body.rests?.because]).toEqual(['running', 5, 3, 'daily-quota']);
    });
  }, 30_000);

  it('give up an item that the upstream fails at, and go on with the others', async () => {
    simulator.faults.add({ kind: 'bad-json', endpoint: 'userid', times: 3 });
    const { body: job } = await api()('POST', path(), { items: [{ endpoint: 'userid', params: { username: 'sick' } }] });
    await ended(job.id);
    const [line] = await lines(job.id);
    expect(line).toMatchObject({ ok: false, error: 'upstream-failed', credits: 0, body: null });
    expect((await api()('GET', path(`/${job.id}`))).body.items).toMatchObject({ failed: 1, succeeded: 0 });
  }, 30_000);

  it('are refused when the quote is higher than allowed, and are another tenant’s business never (G1)', async () => {
    const refused = await api()('POST', path(), { endpoint: 'userid', targets: people(10), maxCredits: 9 });
    expect([refused.status, refused.body.code, refused.body.credits]).toEqual([409, 'quote-exceeded', 10]);
    const { body: job } = await api()('POST', path(), { endpoint: 'userid', targets: people(1), maxCredits: 1 });
    const other = await fetcher.newTenant();
    const stranger = client(fetcher.url, other.token);
    for (const rest of ['', '/results']) expect((await stranger('GET', `/v1/tenants/${other.id}/fetch-jobs/${job.id}${rest}`)).status).toBe(404);
    expect((await stranger('POST', `/v1/tenants/${other.id}/fetch-jobs/${job.id}/cancel`)).status).toBe(404);
    expect((await stranger('GET', path())).status).toBe(404);
    expect((await api()('GET', path())).body.data.map(({ id }: { id: string }) => id)).toEqual([job.id]);
  }, 30_000);

  it('are deleted with their answers when their time is over, and the log says so', async () => {
    const { body: job } = await api()('POST', path(), { endpoint: 'userid', targets: people(2) });
    await ended(job.id);
    const postgres = new Postgres({ connectionString: database.adminUrl });
    await postgres.connect();
    await postgres.query("update weir_upstream_fetcher.job_turns set due_at = now() - interval '1 second' where job_id = $1", [job.id]);
    const schema = `t_${tenant.id.slice(4)}`;
    const left = async () => (await postgres.query(`select count(*)::int as n from ${schema}.fetch_job_items`)).rows[0].n as number;
    await eventually(async () => expect([await left(), (await api()('GET', path(`/${job.id}`))).status]).toEqual([0, 404]));
    const { rows } = await postgres.query(`select type from ${schema}.events where stream = $1 order by version`, [`fetch-job/${job.id}`]);
    await postgres.end();
    expect(rows.map(({ type }) => type)).toEqual(['fetch-job.created', 'fetch-job.started', 'fetch-job.finished', 'fetch-job.results-deleted']);
  }, 30_000);

  it('take ten thousand items of a length that no other route takes', async () => {
    const targets = people(10_000).map((name) => `https://www.tiktok.com/@${name}/video/${'7'.repeat(19)}`);
    const quote = await api()('POST', path('/quote'), { endpoint: 'post-detail', targets });
    expect([quote.status, quote.body.items]).toEqual([200, 10_000]);
    expect((await api()('POST', path('/quote'), { endpoint: 'post-detail', targets: [...targets, 'one more'] })).status).toBe(400);
  }, 30_000);
});

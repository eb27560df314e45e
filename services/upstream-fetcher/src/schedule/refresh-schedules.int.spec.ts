import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { client, eventually, freshDatabase, type TestDatabase } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { Client as Postgres } from 'pg';
import { startFetcher, type RunningFetcher, type SpecTenant } from '../testing/running-fetcher';

describe('refresh schedules', () => {
  let database: TestDatabase;
  let simulator: Simulator;
  let fetchers: RunningFetcher[];
  let tenant: SpecTenant;
  let dataDir: string;
  const one = () => fetchers[0] as RunningFetcher;
  const api = (method: string, path: string, body?: unknown) => client(one().url, tenant.token)(method, `/v1/tenants/${tenant.id}${path}`, body);

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'weir-schedules-'));
    [database, simulator] = await Promise.all([freshDatabase(), startSimulator()]);
    simulator.keys.set({ key: 'platform-secret', credits: null, perMinute: null, burst: 1, scopes: [], suspended: false });
    const environment = { WEIR_JOBS_EVERY_MS: '20', WEIR_JOB_LEASE_MS: '2000' };
    fetchers = await Promise.all([1, 2].map(() => startFetcher({ database, dataDir, upstreamUrl: simulator.url, environment })));
    await one().newKey('platform-secret');
  }, 60_000);
  beforeEach(async () => {
    tenant = await one().newTenant({ role: 'admin' });
  });
  afterAll(async () => {
    await Promise.all((fetchers ?? []).map((fetcher) => fetcher.stop()));
    await simulator?.close();
    await database?.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);

  /** As if its time had come a minute ago. */
  async function due(scheduleId: string): Promise<void> {
    const postgres = new Postgres({ connectionString: database.adminUrl });
    await postgres.connect();
    await postgres.query(`update weir_upstream_fetcher.schedule_turns set due_at = date_trunc('minute', now()) - interval '1 minute' where schedule_id = $1`, [scheduleId]);
    await postgres.end();
  }
  const jobs = async () => (await api('GET', '/fetch-jobs')).body.data;

  it('fire once with two replicas: one bulk fetch, of purpose refresh, and the next time set', async () => {
    const made = await api('POST', '/refresh-schedules', { endpoint: 'userinfo-by-username', targets: ['anna', 'ben', 'cleo'] });
    expect([made.status, made.body]).toEqual([201, expect.objectContaining({ cron: '0 2 * * *', timezone: 'UTC', targets: 3, last: null })]);
    await due(made.body.id);
    await eventually(async () => expect(await jobs()).toMatchObject([{ status: 'finished', purpose: 'refresh', scheduleId: made.body.id, items: { succeeded: 3 } }]), 15_000);
    const [job] = await jobs();
    await eventually(async () => expect((await api('GET', `/refresh-schedules/${made.body.id}`)).body.last).toMatchObject({ jobId: job.id, error: null }));
    await eventually(async () => {
      const settled = (await one().usageOf(tenant)).flatMap((record) => (record.kind === 'settled' ? [record.purpose] : []));
      expect(settled).toEqual(['refresh', 'refresh', 'refresh']);
    });
    expect(await jobs()).toHaveLength(1);
    const postgres = new Postgres({ connectionString: database.adminUrl });
    await postgres.connect();
    const { rows } = await postgres.query('select due_at > now() as later, claimed_until from weir_upstream_fetcher.schedule_turns where schedule_id = $1', [made.body.id]);
    await postgres.end();
    expect(rows).toEqual([{ later: true, claimed_until: null }]);
  }, 30_000);

  it('fetch followers by time and posts by cursor, twice a week and nightly unless said otherwise', async () => {
    const followers = await api('POST', '/refresh-schedules', { endpoint: 'user-followers', targets: ['107955'], pages: 3, params: { count: 10 } });
    const posts = await api('POST', '/refresh-schedules', { endpoint: 'user-posts', targets: ['107955'], pages: 2 });
    expect([followers.body.cron, posts.body.cron]).toEqual(['0 4 * * 1,4', '30 2 * * *']);
    await Promise.all([due(followers.body.id), due(posts.body.id)]);
    await eventually(async () => {
      const done = await jobs();
      expect(done.map(({ status, items }: { status: string; items: { succeeded: number } }) => [status, items.succeeded]).sort()).toEqual([
        ['finished', 2],
        ['finished', 3],
      ]);
    }, 15_000);
  }, 30_000);

  it('leave out a run that the tenant may not make, and say why', async () => {
    const made = await api('POST', '/refresh-schedules', { endpoint: 'userinfo-by-username', targets: ['dan'] });
    await tenant.change({ trialEndsAt: Date.now() - 1_000 });
    await eventually(async () => expect((await fetchers[1]?.request('/tiklive/userid/?username=x', { authorization: `Bearer ${tenant.token}` }))?.body.code).toBe('trial-ended'));
    await due(made.body.id);
    await eventually(async () => expect((await api('GET', `/refresh-schedules/${made.body.id}`)).body.last).toMatchObject({ jobId: null, error: 'trial-ended' }));
    expect(await jobs()).toEqual([]);
  }, 30_000);

  it('end when they are removed, and are the tenant’s own (G1, G2)', async () => {
    const made = await api('POST', '/refresh-schedules', { endpoint: 'userinfo-by-username', targets: ['eve'] });
    const stranger = await one().newTenant({ role: 'admin' });
    expect((await client(one().url, stranger.token)('DELETE', `/v1/tenants/${tenant.id}/refresh-schedules/${made.body.id}`)).status).toBe(404);
    expect((await client(one().url, stranger.token)('DELETE', `/v1/tenants/${stranger.id}/refresh-schedules/${made.body.id}`)).status).toBe(404);
    const member = await one().newTenant();
    expect((await client(one().url, member.token)('GET', `/v1/tenants/${member.id}/refresh-schedules`)).status).toBe(403);
    expect((await api('DELETE', `/refresh-schedules/${made.body.id}`)).status).toBe(204);
    expect((await api('GET', '/refresh-schedules')).body.data).toEqual([]);
    expect((await api('POST', '/refresh-schedules', { endpoint: 'userid', targets: ['eve'] })).status).toBe(400);
    expect((await api('POST', '/refresh-schedules', { endpoint: 'user-posts', targets: ['no number'] })).body.problems).toMatchObject([{ item: 1 }]);
  }, 30_000);
});

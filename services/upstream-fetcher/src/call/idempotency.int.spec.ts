import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId } from '@weir/kernel';
import { createPool } from '@weir/tenancy';
import { eventually, freshDatabase, type TestDatabase } from '@weir/testing';
import { startSimulator, type NewFault, type Simulator } from '@weir/tiklive-simulator';
import { startFetcher, type CallAnswer, type RunningFetcher, type SpecTenant } from '../testing/running-fetcher';

/** The data plane under an Idempotency-Key; two fetchers on one database, which share nothing else. */
describe('a call under an Idempotency-Key', () => {
  let database: TestDatabase;
  let simulator: Simulator;
  let fetcher: RunningFetcher;
  let other: RunningFetcher;
  let tenant: SpecTenant;
  let user = 0;
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-once-'));
  const someone = () => `/userid/?username=once_${++user}`;
  const key = () => ({ 'idempotency-key': newId('req') });
  const fault = (kind: NewFault) => simulator.faults.add(kind);
  const asked = () => simulator.ledger.totals('platform-secret')[0]?.attempts ?? 0;
  const creditsOf = (answer: CallAnswer) => Number(answer.headers.get('weir-credits'));
  /** Each event once, as metering counts. */
  const charged = async (of: SpecTenant) =>
    [...new Map((await fetcher.usageOf(of)).map((record) => [record.eventId, record])).values()].reduce((sum, record) => sum + (record.kind === 'settled' || record.kind === 'served' ? record.chargedCredits : 0), 0);

  beforeAll(async () => {
    [database, simulator] = await Promise.all([freshDatabase(), startSimulator()]);
    fetcher = await startFetcher({ database, dataDir, upstreamUrl: simulator.url });
    other = await startFetcher({ database, dataDir, upstreamUrl: simulator.url });
    simulator.keys.set({ key: 'platform-secret', credits: null, perMinute: null, burst: 1, scopes: ['download'], suspended: false });
    const platform = await fetcher.newKey('platform-secret');
    await fetcher.setCeiling({ keyId: platform.id, perMinute: 1e6, burst: 1e5, concurrency: 0 });
  }, 60_000);
  afterAll(async () => {
    await Promise.all([fetcher.stop(), other.stop()]);
    await simulator.close();
    await database.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);
  beforeEach(async () => {
    simulator.faults.clear();
    tenant = await fetcher.newTenant();
  });

  const atOther = (path: string, headers: Record<string, string>) =>
    other.request(`/tiklive${path}`, { authorization: `Bearer ${tenant.token}`, ...headers });

  it('is made once and charged once, however often it is sent at the same time, over all processes (G7)', async () => {
    await eventually(async () => expect((await atOther('/nothing/', {})).status).toBe(404));
    fault({ kind: 'slow', ms: 300 });
    const [path, headers, before] = [someone(), { ...key(), 'weir-max-age': '0' }, asked()];
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? tenant.call(path, headers) : atOther(path, headers))));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')).toHaveLength(49);
    expect(answers.reduce((sum, answer) => sum + creditsOf(answer), 0)).toBe(1);
    expect(asked()).toBe(before + 1);
    await eventually(async () => expect(await charged(tenant)).toBe(1));

    const later = await tenant.call(path, headers);
    expect([later.status, later.text, later.headers.get('idempotent-replayed'), creditsOf(later)]).toEqual([200, answers[0]?.text, 'true', 0]);
    expect(asked()).toBe(before + 1);
  }, 20_000);

  it('is refused when another call stands under the key, and keys are scoped by tenant (G7)', async () => {
    const [path, headers] = [someone(), key()];
    expect((await tenant.call(path, headers)).status).toBe(200);
    const reused = await tenant.call(someone(), headers);
    expect([reused.status, reused.body.code]).toEqual([422, 'idempotency-key-reused']);
    const neighbour = await fetcher.newTenant();
    const theirs = await neighbour.call(someone(), headers);
    expect([theirs.status, theirs.headers.get('idempotent-replayed')]).toEqual([200, null]);
    expect((await tenant.call(path, { 'idempotency-key': 'a b' })).status).toBe(400);
  });

  it("replays the upstream's own 4xx, and makes a call again that failed: nothing came of it", async () => {
    const [path, headers] = [someone(), key()];
    fault({ kind: '500', times: 1 });
    expect((await tenant.call(path, headers)).status).toBe(502);
    expect((await tenant.call(path, headers)).status).toBe(200);
    expect(await eventually(async () => charged(tenant))).toBe(1);

    const [missing, once] = [someone(), key()];
    fault({ kind: '403', times: 1 });
    expect((await tenant.call(missing, once)).status).toBe(403);
    const again = await tenant.call(missing, once);
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([403, 'true']);
  });

  it('says of what is never kept that it was done, instead of doing it again', async () => {
    const headers = key();
    const path = `/download-video/?url=${encodeURIComponent('https://www.tiktok.com/@a/video/1')}`;
    const before = asked();
    const first = await tenant.call(path, headers);
    expect(first.status).toBe(200);
    const again = await tenant.call(path, headers);
    expect([again.status, again.body]).toEqual([
      409,
      expect.objectContaining({ code: 'idempotency-not-replayable', firstRequestId: first.headers.get('weir-request-id') }),
    ]);
    expect(asked()).toBe(before + 1);
  });

  it('is charged when it is served from the cache too, and once', async () => {
    const paying = await fetcher.newTenant({ terms: { hitPrice: 1 } });
    const path = someone();
    await paying.call(path);
    const headers = key();
    const hit = await eventually(async () => {
      const answer = await paying.call(path, headers);
      expect(answer.headers.get('weir-cache')).toBe('hit');
      return answer;
    });
    expect(creditsOf(hit) + creditsOf(await paying.call(path, headers))).toBe(1);
    await eventually(async () => expect(await charged(paying)).toBe(2));
  });

  it('is made again after a crash amid it, and the tenant is charged once (G7)', async () => {
    const [path, headers] = [someone(), key()];
    const pool = createPool({ url: database.adminUrl, name: 'spec', max: 1 });
    const stored = async (change: string) => {
      const { rows } = await pool.query<{ schema: string }>(`select table_schema as schema from information_schema.tables where table_name = 'call_replays'`);
      for (const { schema } of rows) await pool.query(`update "${schema}".call_replays ${change} where key = $1`, [`live/${headers['idempotency-key']}`]);
    };
    try {
      // killed between the answer and its charge: the charge stands with the answer, and follows with the next retry
      expect((await tenant.call(path, headers)).status).toBe(200);
      await eventually(async () => expect(await charged(tenant)).toBe(1));
      const settled = (await fetcher.usageOf(tenant)).find(({ kind }) => kind === 'settled');
      await stored(`set done_at = now() - interval '1 minute', unpublished = '${JSON.stringify([JSON.stringify(settled)])}'`);
      expect((await tenant.call(path, headers)).headers.get('idempotent-replayed')).toBe('true');
      await eventually(async () => {
        const again = (await fetcher.usageOf(tenant)).filter(({ kind }) => kind === 'settled');
        // the same event: counted once
        expect(again.map(({ eventId }) => eventId)).toEqual([settled?.eventId, settled?.eventId]);
      });

      // killed amid the call: its lease is over, and nothing is known of an answer
      await stored(`set done_at = null, body = null, lease_until = now() - interval '1 s'`);
      const before = asked();
      const retried = await tenant.call(path, { ...headers, 'weir-max-age': '0' });
      expect([retried.status, retried.headers.get('idempotent-replayed'), creditsOf(retried)]).toEqual([200, null, 1]);
      expect(asked()).toBe(before + 1);
    } finally {
      await pool.end();
    }
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freshDatabase, freshRedis, startServiceProcess, type ServiceProcess, type TestDatabase, type TestRedis } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { startFetcher, type RunningFetcher } from '../testing/running-fetcher';

const CALLERS = 1_000;
const HELD_MS = 1_500;

/** Two fetchers that are processes of their own. Ten thousand callers: `npm run chaos -- coalescing`. */
describe('fetchers in processes of their own', () => {
  let database: TestDatabase;
  let redis: TestRedis;
  let simulator: Simulator;
  /** Brings keys and tenants, and is asked for nothing. */
  let beside: RunningFetcher;
  let processes: readonly ServiceProcess[];
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-processes-'));

  beforeAll(async () => {
    [database, redis, simulator] = await Promise.all([freshDatabase(), freshRedis(), startSimulator()]);
    beside = await startFetcher({ database, dataDir, upstreamUrl: simulator.url });
    simulator.keys.set({ key: 'platform-secret', credits: null, perMinute: null, burst: 1, scopes: [], suspended: false });
    const key = await beside.newKey('platform-secret');
    await beside.setCeiling({ keyId: key.id, perMinute: 1e6, burst: 1e5, concurrency: 0 });
    const environment = {
      WEIR_BUS: 'postgres',
      WEIR_POSTGRES_URL: database.urlOf('upstream-fetcher'),
      WEIR_DATA_DIR: dataDir,
      WEIR_KEY_ENCRYPTION: 'local',
      WEIR_KEY_FILE: join(dataDir, 'key-encryption.key'),
      WEIR_LIMITER: 'redis',
      WEIR_REDIS_URL: redis.url,
      WEIR_UPSTREAM_URL: simulator.url,
      // a busy machine is slow, and no outage
      WEIR_HOLD_TIMEOUT_MS: '20000',
      WEIR_UPSTREAM_TIMEOUT_MS: '20000',
    };
    processes = await Promise.all([1, 2].map(() => startServiceProcess('upstream-fetcher', environment)));
  }, 60_000);
  afterAll(async () => {
    await Promise.all((processes ?? []).map((one) => one.end('SIGKILL')));
    await beside?.stop();
    await Promise.all([simulator?.close(), redis?.close()]);
    await database?.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);

  it(`make one upstream call of ${CALLERS} callers of one thing, over both; each pays what its plan says (F8)`, async () => {
    const tenants = await Promise.all([beside.newTenant({ terms: { coalescedPrice: 0 } }), beside.newTenant({ terms: { coalescedPrice: 1 } })]);
    const ask = async (n: number, path: string) => {
      const answer = await fetch(`${processes[n % 2]?.url}/tiklive${path}`, { headers: { authorization: `Bearer ${tenants[n % 4 < 2 ? 0 : 1]?.token}` } });
      return { status: answer.status, text: await answer.text(), cache: answer.headers.get('weir-cache'), credits: Number(answer.headers.get('weir-credits')) };
    };
    // both have heard of both
    await eventually(async () => expect((await Promise.all([0, 1, 2, 3].map((n) => ask(n, '/nothing/')))).map(({ status }) => status)).toEqual([404, 404, 404, 404]));

    simulator.faults.add({ kind: 'slow', ms: HELD_MS, endpoint: 'userid' });
    const answers = await Promise.all(Array.from({ length: CALLERS }, (_, n) => ask(n, '/userid/?username=everybody')));
    expect(simulator.ledger.totals('platform-secret')).toMatchObject([{ attempts: 1, credits: 1 }]);
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`))).toEqual(new Set([`200 ${answers[0]?.text}`]));
    expect(answers.filter(({ cache }) => cache === 'miss')).toHaveLength(1);
    for (const price of [0, 1]) {
      const shared = answers.filter(({ cache }, n) => cache === 'coalesced' && (n % 4 < 2 ? 0 : 1) === price);
      expect(new Set(shared.map(({ credits }) => credits))).toEqual(new Set([price]));
    }
  }, 30_000);
});

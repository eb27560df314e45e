import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep } from '@weir/kernel';
import type { UsageOf } from '@weir/contracts';
import { eventually, freshDatabase, type ServiceProcess, startServiceProcess, type TestDatabase } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { startFetcher, type RunningFetcher, type SpecTenant } from './testing/running-fetcher';

const CALLS = 400;
/** As a steady load of 500 calls a second comes. */
const EVERY_MS = 2;

/** A process of its own under load, and another replica beside it, as behind an edge. */
describe('a fetcher that ends under 500 calls a second', () => {
  let database: TestDatabase;
  let simulator: Simulator;
  let other: RunningFetcher;
  let ending: ServiceProcess;
  let tenant: SpecTenant;
  let user = 0;
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-stopping-'));
  const someone = () => `/tiklive/userid/?username=stop_${++user}`;
  const ledger = () => simulator.ledger.page({ key: 'platform-secret', limit: 10_000 }).data;

  beforeAll(async () => {
    [database, simulator] = await Promise.all([freshDatabase(), startSimulator({ latencyP50Ms: 100 })]);
    simulator.keys.set({ key: 'platform-secret', credits: null, perMinute: null, burst: 1, scopes: ['download'], suspended: false });
    other = await startFetcher({ database, dataDir, upstreamUrl: simulator.url });
    const key = await other.newKey('platform-secret');
    await other.setCeiling({ keyId: key.id, perMinute: 1e6, burst: 1e5, concurrency: 0 });
  }, 60_000);
  afterAll(async () => {
    await other.stop();
    await simulator.close();
    await database.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);
  beforeEach(async () => {
    tenant = await other.newTenant();
    ending = await startServiceProcess('upstream-fetcher', {
      WEIR_BUS: 'postgres',
      WEIR_POSTGRES_URL: database.urlOf('upstream-fetcher'),
      WEIR_DATA_DIR: dataDir,
      WEIR_KEY_ENCRYPTION: 'local',
      WEIR_KEY_FILE: join(dataDir, 'key-encryption.key'),
      WEIR_LIMITER: 'memory',
      WEIR_UPSTREAM_URL: simulator.url,
      // a busy machine is slow, and no outage
      WEIR_HOLD_TIMEOUT_MS: '20000',
      WEIR_UPSTREAM_TIMEOUT_MS: '20000',
    });
  }, 60_000);
  afterEach(() => ending.end('SIGKILL'));

  /** Calls at a steady rate, with a signal in the middle of them. */
  async function under(signal: 'SIGTERM' | 'SIGKILL') {
    const agent = new Agent({ keepAlive: true });
    const answers: Promise<Seen>[] = [];
    let ended: Promise<number | null> | undefined;
    for (let n = 0; n < CALLS; n++) {
      answers.push(call(agent, ending.url + someone(), tenant.token));
      if (n === CALLS / 2) ended = ending.end(signal);
      await sleep(EVERY_MS);
    }
    const [code, seen] = await Promise.all([ended, Promise.all(answers)]);
    agent.destroy();
    return { code, seen };
  }

  /** Records of the load's calls, once all of them that will come have come. */
  async function usage(settledAtLeast: number) {
    return eventually(async () => {
      const records = await other.usageOf(tenant);
      const held = records.filter((record): record is UsageOf<'held'> => record.kind === 'held');
      const settled = records.filter((record): record is UsageOf<'settled'> => record.kind === 'settled');
      expect(settled.length).toBeGreaterThanOrEqual(settledAtLeast);
      return { held, settled };
    }, 10_000);
  }

  it('by SIGTERM answers every call that reached it, and what did not reach it the other replica can take: none is dropped (F12)', async () => {
    const before = ledger().length;
    const { code, seen } = await under('SIGTERM');
    expect(code).toBe(0);
    const answered = seen.filter(({ is }) => is === 'answered');
    expect(answered.length).toBeGreaterThan(CALLS / 10);
    expect(answered.filter(({ status }) => status !== 200)).toEqual([]);
    // refused or ended before anything of an answer: nothing was done for it, so that it may be sent elsewhere
    const { held, settled } = await usage(answered.length);
    expect([held.length, settled.length, ledger().length - before]).toEqual([answered.length, answered.length, answered.length]);
  }, 30_000);

  it('by SIGKILL leaves at most holds that nobody settled: no credit is without a trace (F12, M2)', async () => {
    const before = ledger().length;
    const { seen } = await under('SIGKILL');
    const answered = seen.filter(({ is }) => is === 'answered').length;
    expect(answered).toBeGreaterThan(0);
    await eventually(async () => expect(ledger().length - before).toBeGreaterThanOrEqual(answered));
    const { held, settled } = await usage(0);
    const traces = new Set(held.map(({ requestId, attempt }) => `${requestId}/${attempt}`));
    const taken = ledger().slice(before);
    expect(taken.filter(({ requestId, attempt }) => !traces.has(`${requestId}/${attempt}`))).toEqual([]);
    // each settled once, and only what was held
    expect(new Set(settled.map(({ requestId }) => requestId)).size).toBe(settled.length);
    expect(settled.every(({ requestId, attempt }) => traces.has(`${requestId}/${attempt}`))).toBe(true);
    // the upstream's ledger = settled + what stays unsettled
    const unsettled = held.length - settled.length;
    const credits = taken.reduce((sum, entry) => sum + entry.credits, 0);
    expect(credits).toBeGreaterThanOrEqual(settled.length);
    expect(credits).toBeLessThanOrEqual(settled.length + unsettled);
  }, 30_000);
});

interface Seen {
  /** `unsent`: nothing of an answer came, and the connection was refused or ended. */
  readonly is: 'answered' | 'unsent' | 'cut';
  readonly status?: number;
  readonly body?: string;
}

function call(agent: Agent, url: string, token: string): Promise<Seen> {
  return new Promise((resolve) => {
    const outgoing = request(url, { agent, headers: { authorization: `Bearer ${token}` } }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve({ is: 'answered', status: response.statusCode ?? 0, body }));
      response.on('error', () => resolve({ is: 'cut' }));
    });
    outgoing.on('error', () => resolve({ is: 'unsent' }));
    outgoing.end();
  });
}

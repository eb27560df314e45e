import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mintToken } from '@weir/access';
import { freshDatabase, type TestDatabase } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { startFetcher, type CallAnswer, type RunningFetcher } from '../testing/running-fetcher';

/** What every client of the data plane counts on, whatever became of its call. */
describe('the edge of the data plane', () => {
  let database: TestDatabase;
  let simulator: Simulator;
  let fetcher: RunningFetcher;
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-edge-'));

  beforeAll(async () => {
    [database, simulator] = await Promise.all([freshDatabase(), startSimulator()]);
    fetcher = await startFetcher({ database, dataDir, upstreamUrl: simulator.url });
    simulator.keys.set({
      key: 'platform-secret',
      credits: null,
      perMinute: null,
      burst: 1,
      scopes: ['download'],
      suspended: false,
    });
    const key = await fetcher.newKey('platform-secret');
    await fetcher.setCeiling({ keyId: key.id, perMinute: 1e6, burst: 1e5, concurrency: 0 });
  }, 60_000);
  afterAll(async () => {
    await fetcher?.stop();
    await simulator?.close();
    await database?.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);

  const refusal = ({ status, headers, body }: CallAnswer) => ({
    status,
    code: body.code,
    limitedBy: body.limitedBy,
    retryAfter: headers.get('retry-after'),
  });

  it('asks for patience where a token may be on its way, and for another where it cannot be', async () => {
    const as = (nowMs: number) =>
      fetcher.request('/tiklive/userid/?username=x', { authorization: `Bearer ${mintToken({ mode: 'live', nowMs }).token}` });
    expect(refusal(await as(Date.now()))).toMatchObject({ status: 503, code: 'stale-state', retryAfter: '1' });
    expect(refusal(await as(Date.now() - 11_000))).toMatchObject({ status: 401, code: 'unauthenticated', retryAfter: null });
  });

  it('names the monthly quota and concurrency when it was they, with a Retry-After in whole seconds', async () => {
    const month = await fetcher.newTenant({ terms: { monthlyCredits: 1 } });
    await month.call('/userid/?username=month_1');
    expect(refusal(await month.call('/userid/?username=month_2'))).toMatchObject({
      status: 429,
      code: 'rate-limited',
      limitedBy: 'monthly-quota',
      retryAfter: expect.stringMatching(/^\d+$/),
    });

    const narrow = await fetcher.newTenant({ terms: { concurrency: 1 } });
    const fault = simulator.faults.add({ kind: 'slow', ms: 700 });
    const answers = await Promise.all([narrow.call('/userid/?username=narrow_1'), narrow.call('/userid/?username=narrow_2')]);
    simulator.faults.remove(fault.id);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 429]);
    const refused = answers.find(({ status }) => status === 429) as CallAnswer;
    expect(refusal(refused)).toMatchObject({
      code: 'rate-limited',
      limitedBy: 'concurrency',
      retryAfter: expect.stringMatching(/^\d+$/),
    });
    expect(refused.body.origin).toBe('weir');
  });

  it('bears a request id, what it cost and what is left on every answer, and problems are RFC 9457', async () => {
    const tenant = await fetcher.newTenant({ terms: { dailyCredits: 2 } });
    const served = await tenant.call('/userinfo-by-username/?username=somebody');
    expect([
      served.status,
      served.headers.get('weir-credits'),
      served.headers.get('weir-key'),
      served.headers.get('weir-cache'),
    ]).toEqual([200, '1', 'platform', 'miss']);
    await tenant.call('/userid/?username=another');
    const refused = [
      await tenant.call('/userid/?username=one_more'),
      await tenant.call('/nothing/'),
      await tenant.call('/userid/'),
      await fetcher.request('/tiklive/userid/'),
    ];
    expect(refused.map(({ status }) => status)).toEqual([429, 404, 400, 401]);
    for (const answer of refused) {
      expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
      expect(answer.headers.get('weir-credits')).toBe('0');
      expect(answer.body).toMatchObject({
        status: answer.status,
        code: expect.any(String),
        title: expect.any(String),
        detail: expect.any(String),
        requestId: answer.headers.get('weir-request-id'),
      });
    }
    for (const answer of [served, refused[0] as CallAnswer]) {
      expect(answer.headers.get('ratelimit-policy')).toContain('"daily-quota";q=2');
      expect(answer.headers.get('ratelimit')).toMatch(/"daily-quota";r=\d/);
      const reset = Number(answer.headers.get('x-ratelimit-reset'));
      expect(Math.abs(reset - Date.now() / 1_000)).toBeLessThan(32 * 86_400);
      expect(Number(answer.headers.get('x-ratelimit-limit'))).toBeGreaterThan(0);
      expect(answer.headers.get('x-ratelimit-remaining')).toMatch(/^\d+$/);
    }
  });

  it('has no use for bodies: one of 10 MB is not read into memory, and lengths that contradict each other are refused (G8, G9)', async () => {
    const tenant = await fetcher.newTenant();
    const head = `GET /tiklive/userid/?username=body_1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${tenant.token}\r\nConnection: close\r\n`;
    const before = process.memoryUsage().arrayBuffers;
    const large = await exchanged(fetcher.url, `${head}Content-Length: 10000000\r\n\r\n`, Buffer.alloc(10_000_000, 'x'));
    expect(large).toMatch(/^HTTP\/1\.1 (200|4\d\d) /);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
    const smuggled = await exchanged(fetcher.url, `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, Buffer.alloc(0));
    expect(smuggled).toMatch(/^HTTP\/1\.1 400 /);
    // nothing is left over on the connection that would be taken for another request
    expect(smuggled.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  });
});

/** As no client library would send it. */
function exchanged(url: string, head: string, body: Buffer): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(Number(port), hostname);
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
    // the server may end the connection while the body is on its way
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
    socket.write(head);
    if (body.length > 0) socket.write(body);
  });
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { weir } from '../testing/run';

const JOB = {
  id: 'job_1',
  name: null,
  status: 'finished',
  purpose: 'call',
  scheduleId: null,
  items: { total: 2, succeeded: 2, failed: 0, pending: 0, cancelled: 0 },
  credits: { quoted: 2, charged: 1 },
  cacheHits: 1,
  rests: null,
  quotedFinish: null,
  endedAt: '2026-11-25T02:00:00.000Z',
  expiresAt: '2026-12-02T02:00:00.000Z',
  createdAt: '2026-11-25T01:00:00.000Z',
};

describe('bulk fetches and erasures from the command line', () => {
  let server: Server;
  let env: Record<string, string>;
  let directory: string;
  let heard: { method: string; url: string; type: string | undefined; body: string }[];
  let answers: ((url: string) => object)[];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'weir-cli-'));
    server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      heard.push({ method: request.method!, url: request.url!, type: request.headers['content-type'], body });
      const next = answers.length > 1 ? answers.shift() : answers[0];
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(next?.(request.url!) ?? JOB));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    env = { WEIR_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, WEIR_TOKEN: 'weir_live_x', WEIR_TENANT: 'ten_1', HOME: '/nonexistent' };
  });
  beforeEach(() => {
    heard = [];
    answers = [];
  });
  afterAll(async () => {
    rmSync(directory, { recursive: true, force: true });
    await new Promise((resolve) => server.close(resolve));
  });
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };

  it('targets are a line each, and options go with them', async () => {
    const run = await weir(['jobs', 'create', '-e', 'userid', '--targets', file('names.txt', 'alice\n\n bob \n'), '--max-credits', '5'], { env });
    expect([run.code, heard]).toEqual([0, [expect.objectContaining({ method: 'POST', url: '/v1/tenants/ten_1/fetch-jobs' })]]);
    expect(JSON.parse(heard[0]?.body ?? '')).toEqual({ endpoint: 'userid', targets: ['alice', 'bob'], maxCredits: 5 });
    expect(run.out).toContain('2 of 2');
  });

  it('a CSV goes as it is, with its options in the query', async () => {
    await weir(['jobs', 'quote', '-f', file('items.csv', 'username\nalice\n'), '-e', 'userid', '--name', 'n'], { env });
    expect(heard).toEqual([{ method: 'POST', url: '/v1/tenants/ten_1/fetch-jobs/quote?name=n&endpoint=userid', type: 'text/csv', body: 'username\nalice\n' }]);
  });

  it('whoever waits for a job is told of items that failed by the exit code', async () => {
    answers = [() => ({ ...JOB, status: 'running' }), () => ({ ...JOB, items: { ...JOB.items, succeeded: 1, failed: 1 } })];
    const run = await weir(['jobs', 'show', 'job_1', '--wait'], { env });
    expect([run.code, heard.length]).toEqual([1, 2]);
    expect(run.err).toContain('1 of 2 items failed');
  });

  it('a schedule takes its targets from a file, and says when it comes', async () => {
    answers = [() => ({ id: 'sch_1', name: null, endpoint: 'user-followers', targets: 1, pages: 3, cron: '0 4 * * 1,4', timezone: 'UTC', nextAt: '2026-11-26T04:00:00.000Z', last: null })];
    const run = await weir(['schedules', 'create', 'user-followers', file('numbers.txt', '107955\n'), '--pages', '3'], { env });
    expect(JSON.parse(heard[0]?.body ?? '')).toEqual({ endpoint: 'user-followers', targets: ['107955'], pages: 3 });
    expect(run.out).toContain('2026-11-26 04:00:00Z');
  });

  it('an erasure waits for its receipt', async () => {
    const requested = { at: '2026-11-25T02:00:00.000Z', position: 7, chainHash: 'ab' };
    const report = { ...requested, position: 8, profiles: 2, posts: 0, jobResults: 1, cachedAnswers: 1, suppressed: 3 };
    answers = [
      () => ({ id: 'era_1', status: 'running', subjects: 1, requested, reports: [{ service: 'upstream-fetcher', report: null }] }),
      () => ({ id: 'era_1', status: 'done', subjects: 1, requested, reports: [{ service: 'upstream-fetcher', report }] }),
    ];
    const run = await weir(['subjects', 'erase', '--username', 'alice'], { env });
    expect(heard.map(({ method, url }) => `${method} ${url}`)).toEqual(['POST /v1/tenants/ten_1/subjects/erase', 'GET /v1/tenants/ten_1/erasure-receipts/era_1']);
    expect(run).toMatchObject({ code: 0, out: expect.stringMatching(/status\s+done/) });
    expect((await weir(['subjects', 'erase'], { env })).code).toBe(2);
  });
});

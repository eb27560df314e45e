import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { weir } from '../testing/run';

interface Heard {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly body: { lines: object[]; [member: string]: unknown };
}

let server: Server;
let heard: Heard[];
let answer: unknown;
let directory: string;
let env: Record<string, string>;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weir-cli-'));
  server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    heard.push({ method: request.method, path: request.url, body: text === '' ? {} : JSON.parse(text) });
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  env = { WEIR_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, WEIR_TOKEN: 'weir_live_x', HOME: '/nonexistent' };
});
beforeEach(() => {
  heard = [];
  answer = {};
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
  return new Promise((resolve) => server.close(resolve));
});

const statement = (content: string): string => {
  const file = join(directory, 'TikLive November.csv');
  writeFileSync(file, content);
  return file;
};

describe('weir reconciliations', () => {
  it('import takes a statement in parts, the last of which says what it covers', async () => {
    const rows = Array.from({ length: 5_001 }, (_, n) => `2026-11-01T00:00:${String(n % 60).padStart(2, '0')}Z,1,req_${n}/1,200`);
    const file = statement(['at,credits,request_id,status', ...rows].join('\r\n'));
    expect(await weir(['reconciliations', 'import', file, '--key', 'key_1', '--to', '2026-12-01T00:00:00Z'], { env })).toMatchObject({ code: 0 });
    expect(heard.map(({ method, path, body }) => [method, path, body.lines.length, body['source'], body['covers']])).toEqual([
      ['POST', '/v1/reconciliations/statements', 5_000, 'tiklive-november', undefined],
      ['POST', '/v1/reconciliations/statements', 1, 'tiklive-november', { from: '2026-11-01T00:00:00.000Z', to: '2026-12-01T00:00:00Z' }],
    ]);
    expect(heard[1]?.body.lines[0]).toEqual({ line: 5_001, at: '2026-11-01T00:00:20.000Z', credits: 1, requestId: 'req_5000/1', status: 200 });
  });

  it.each([
    ['no such column', 'when,credits\n2026-11-01,1'],
    ['half a credit', 'at,credits\n2026-11-01,0.5'],
    ['nothing', 'at,credits\n'],
  ])('import refuses a file with %s before anything is sent', async (_, content) => {
    expect(await weir(['reconciliations', 'import', statement(content), '--key', 'key_1'], { env })).toMatchObject({ code: 2 });
    expect(heard).toEqual([]);
  });

  it('show says of each difference its class, what was decided and why', async () => {
    answer = {
      id: 'a', source: 'upstream-ledger', from: '2026-11-01T00:00:00Z', to: '2026-11-01T00:10:00Z', lines: 2, attempts: 2, upstreamCredits: 2, settledCredits: 1, unsettledCredits: 1, differences: { 'unsettled-taken': { count: 1, credits: 0 } },
      discrepancies: [{ class: 'unsettled-taken', tenantId: 'ten_1', requestId: 'req_1', attempt: 1, keyId: 'key_1', ourCredits: 1, upstreamCredits: 1, decision: 'taken', explanation: 'Nobody settled it.' }],
    };
    const { out } = await weir(['reconciliations', 'show', 'a'], { env });
    expect(out).toContain('unsettled-taken 1 (0)');
    expect(out).toMatch(/unsettled-taken +ten_1 +req_1\/1 +key_1 +1 +1 +taken +Nobody settled it\./);
  });
});

describe('weir usage and calls', () => {
  it('usage check ends with 1 when sums are not what their records add up to', async () => {
    answer = { tenantId: 'ten_1', from: '2024-11-01', rows: 1, shown: [{ table: 'usage_daily', side: 'standing', row: { day: '2026-11-01' } }] };
    const run = await weir(['usage', 'check', '-t', 'ten_1'], { env });
    expect(run).toMatchObject({ code: 1, out: expect.stringContaining('usage_daily, standing') });
    expect(heard.map(({ method, path }) => [method, path])).toEqual([['POST', '/v1/tenants/ten_1/usage/check']]);
    answer = { tenantId: 'ten_1', from: '2024-11-01', rows: 0, shown: [] };
    expect(await weir(['usage', 'check', '-t', 'ten_1'], { env })).toMatchObject({ code: 0 });
  });

  it('calls show says why a call cost what it did', async () => {
    answer = { requestId: 'req_1', at: '2026-11-01T00:00:00Z', endpoint: 'userid', key: 'platform', keyMode: 'shared', cache: 'miss', upstreamCredits: 1, unsettledCredits: 0, chargedCredits: 1, charge: { day: '2026-12-01', period: '2026-12', adjusts: '2026-11' }, invoice: { id: 'inv_1', number: 'INV-000007', status: 'final', lines: [2, 3] }, attempts: [{ attempt: 1, state: 'settled', upstreamStatus: 200 }], why: 'Attempt 1: the upstream took 1 credit; you pay 1.' };
    const { out } = await weir(['calls', 'show', 'req_1', '-t', 'ten_1'], { env });
    expect(out).toContain('2026-12-01, adjusting 2026-11');
    expect(out).toContain('INV-000007, lines 2 and 3');
    expect(out).toContain('the upstream took 1 credit; you pay 1.');
    expect(out).toMatch(/1 +settled/);
  });
});

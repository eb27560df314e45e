import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { weir } from './testing/run';

// What the program makes of answers: their shapes are those of the real API, which the e2e spec asks.
type Answer = { status?: number; body?: unknown; headers?: Record<string, string>; cut?: boolean };
interface Heard {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let server: Server;
let url: string;
let heard: Heard[];
let answers: (request: Heard) => Answer;

beforeAll(async () => {
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const one = { method: request.method!, url: request.url!, headers: request.headers, body };
    heard.push(one);
    const answer = answers(one);
    if (answer.cut === true) return void request.socket.destroy();
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers });
    response.end(answer.body === undefined ? '' : typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => {
  heard = [];
  answers = () => ({ body: { data: [], nextCursor: null } });
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const env = (more: Record<string, string> = {}) => ({ WEIR_URL: url, WEIR_TOKEN: 'weir_live_x', HOME: '/nonexistent', ...more });
const tenant = (n: number) => ({ id: `ten_${n}`, slug: `t${n}`, status: 'active', keyMode: 'shared', plan: { id: 'free', version: 1 }, placement: 'schema', createdAt: '2026-11-24T12:00:00.000Z' });

describe('exit codes', () => {
  it('0 when it is done, and what was asked is on standard output alone', async () => {
    answers = () => ({ body: { data: [tenant(1)], nextCursor: null } });
    const run = await weir(['tenants', 'list'], { env: env() });
    expect(run).toMatchObject({ code: 0, err: '' });
    expect(run.out.split('\n')).toEqual([
      'ID     SLUG  STATUS  KEY MODE  PLAN    PLACEMENT  CREATED',
      'ten_1  t1    active  shared    free@1  schema     2026-11-24 12:00:00Z',
      '',
    ]);
  });

  it('1 when the API refuses, with code, detail and request id on standard error', async () => {
    answers = () => ({ status: 409, body: { code: 'slug-taken', detail: 'The slug acme is in use. Choose another.', requestId: 'req_1' } });
    expect(await weir(['tenants', 'create', 'acme'], { env: env() })).toEqual({ code: 1, out: '', err: 'weir: slug-taken: The slug acme is in use. Choose another. (req_1)\n' });
    const json = await weir(['tenants', 'create', 'acme', '--json'], { env: env() });
    expect(JSON.parse(json.err)).toMatchObject({ code: 'slug-taken', requestId: 'req_1' });
  });

  it('1 when the answer is bad news: a broken chain, a key that the upstream refuses', async () => {
    answers = () => ({ body: { result: 'broken', events: 3, position: 3, head: 'ab', firstBreak: 2, because: 'gap', witnessed: null } });
    expect(await weir(['events', 'verify', '-t', 'ten_1'], { env: env() })).toMatchObject({ code: 1, out: expect.stringContaining('broken'), err: expect.stringContaining('position 2: gap') });
  });

  it('1 when a rotation has left something under an old key', async () => {
    const totals = { tenants: 1, blobs: 2, leftUnderOld: 1, unreadable: 1 };
    answers = () => ({
      body: { id: 'op_1', of: ['data-keys'], status: 'finished', startedAt: '2026-11-24T12:00:00Z', finishedAt: '2026-11-24T12:00:01Z', progress: { tenants: 1, done: 1 }, troubles: [], report: { kekId: 'local:1', totals, complete: false, tenants: [] }, signature: null },
    });
    for (const args of [['key-rotations', 'get', 'op_1'], ['keys', 'rotate-all', '--wait']]) {
      expect(await weir(args, { env: env() })).toMatchObject({ code: 1, out: expect.stringMatching(/left under the old +1/), err: expect.stringContaining('left under an old key') });
    }
  });

  it.each([
    [[], 'what shall it do'],
    [['tenants'], 'what about them'],
    [['tenants', 'lst'], 'Did you mean list'],
    [['tenants', 'create'], 'Not enough'],
    [['tenants', 'create', 'x', '--plam', 'pro'], 'plam'],
    [['tenants', 'list', '--limit', '-1'], '--limit'],
    [['tokens', 'create', '-t', 'ten_1', '--expires', 'soon'], 'not a time'],
    [['keys', 'quarantine', 'key_1', '-t', 'ten_1'], '--platform'],
    [['tokens', 'list'], '--tenant'],
  ])('2 for usage: weir %p', async (args, because) => {
    expect(await weir(args, { env: env() })).toMatchObject({ code: 2, out: '', err: expect.stringContaining(because) });
    expect(heard).toEqual([]);
  });

  it('2 when nobody has logged in', async () => {
    expect(await weir(['tenants', 'list'], { env: { HOME: '/nonexistent' } })).toMatchObject({ code: 2, err: expect.stringContaining('weir login') });
  });

  it('3 when nothing listens, and when what answers is not Weir', async () => {
    expect(await weir(['tenants', 'list'], { env: env({ WEIR_URL: 'http://127.0.0.1:9' }) })).toMatchObject({ code: 3, err: expect.stringContaining('cannot reach http://127.0.0.1:9') });
    answers = () => ({ body: '<html>', headers: { 'content-type': 'text/html' } });
    expect(await weir(['tenants', 'list'], { env: env() })).toMatchObject({ code: 3, err: expect.stringContaining('does not answer as Weir') });
  });
});

describe('a list', () => {
  const pages = ({ url: path }: Heard): Answer => {
    const query = new URL(path, url).searchParams;
    const [from, limit] = [Number(query.get('cursor') ?? 0), Number(query.get('limit'))];
    const data = Array.from({ length: Math.min(limit, 250 - from) }, (_, i) => tenant(from + i));
    return { body: { data, nextCursor: from + data.length < 250 ? String(from + data.length) : null } };
  };

  it('is put together from as many pages as its limit takes, and says that there is more', async () => {
    answers = pages;
    const run = await weir(['tenants', 'list', '--limit', '120'], { env: env() });
    expect(run.out.trim().split('\n')).toHaveLength(121);
    expect(run.err).toBe('the first 120; --limit 0 lists all\n');
    expect(heard.map((one) => one.url)).toEqual(['/v1/tenants?limit=100', '/v1/tenants?limit=20&cursor=100']);
  });

  it('is whole with --limit 0, and one document with --json', async () => {
    answers = pages;
    const run = await weir(['tenants', 'list', '--limit', '0', '--json'], { env: env() });
    const { data, nextCursor } = JSON.parse(run.out) as { data: { id: string }[]; nextCursor: null };
    expect([new Set(data.map(({ id }) => id)).size, nextCursor]).toEqual([250, null]);
  });
});

describe('an export', () => {
  const text = /```json\n([\s\S]*?)```/.exec(readFileSync(join(__dirname, '../../../docs/audit-format.md'), 'utf8'))![1]!;
  const dir = mkdtempSync(join(tmpdir(), 'weir-export-'));
  const file = join(dir, 'log.ndjson');
  afterAll(() => rmSync(dir, { recursive: true }));

  it('is written into its file whole, or not at all', async () => {
    answers = () => ({ body: text, headers: { 'content-type': 'application/x-ndjson' } });
    expect(await weir(['events', 'export', '-t', 'ten_1', '--after', '0', '-o', file], { env: env() })).toMatchObject({ code: 0, out: '' });
    expect([heard[0]!.url, readFileSync(file, 'utf8')]).toEqual(['/v1/tenants/ten_1/audit/export?after=0', text]);
    expect((await weir(['events', 'export', '-t', 'ten_1'], { env: env() })).out).toBe(text);

    answers = () => ({ body: text, headers: { 'content-length': '100000' } });
    const cut = await weir(['events', 'export', '-t', 'ten_1', '-o', join(dir, 'cut.ndjson')], { env: env() });
    expect(cut).toMatchObject({ code: 3, err: expect.stringContaining('broke off') });
    expect(readdirSync(dir)).toEqual(['log.ndjson']);
    answers = () => ({ body: text });
    expect(await weir(['events', 'export', '-t', 'ten_1', '-o', join(dir, 'no/such')], { env: env() })).toMatchObject({ code: 2, err: expect.stringContaining('cannot be written') });
  });

  it('is verified without a login: 0 intact, 1 broken with the place, 2 when there is nothing to verify', async () => {
    const alone = { env: { HOME: '/nonexistent' } };
    writeFileSync(file, text);
    expect(await weir(['verify', file], alone)).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/result +intact\n[\s\S]*positions +1 to 2/) });
    expect(await weir(['verify', '-'], { ...alone, stdin: text })).toMatchObject({ code: 0 });
    writeFileSync(file, text.replace('unpaid', 'paid'));
    const broken = await weir(['verify', file], alone);
    expect(broken).toMatchObject({ code: 1, out: expect.stringMatching(/2 +2 +content-altered/), err: expect.stringContaining('content-altered in line 2, position 2') });
    expect(JSON.parse((await weir(['verify', file, '--json'], alone)).out)).toMatchObject({ result: 'broken', findings: [{ what: 'content-altered', line: 2, position: 2 }, { what: 'manifest-disagrees' }] });
    expect(await weir(['verify', join(dir, 'nothing')], alone)).toMatchObject({ code: 2, out: '' });
    expect(await weir(['verify', file, '--expect', '2'], alone)).toMatchObject({ code: 2, out: '' });
    expect(await weir(['verify'], alone)).toMatchObject({ code: 2, out: '' });
  });

  it('is held against a chain hash that somebody kept', async () => {
    writeFileSync(file, text);
    const hash = /"chainHash":"(\w+)"/.exec(text)![1]!;
    expect((await weir(['verify', file, '--expect', `1:${hash}`], { env: {} })).code).toBe(0);
    expect(await weir(['verify', file, '--expect', `2:${hash}`], { env: {} })).toMatchObject({ code: 1, err: expect.stringContaining('unexpected-hash in line 2') });
  });
});

describe('a POST', () => {
  it('bears an Idempotency-Key, the same one when it is tried again after a cut or a 503 that says when', async () => {
    const script: Answer[] = [{ cut: true }, { status: 503, headers: { 'retry-after': '0' }, body: { code: 'stale-state', detail: 'Try again.' } }, { body: tenant(1) }];
    answers = () => script.shift()!;
    expect((await weir(['tenants', 'suspend', 'ten_1'], { env: env() })).code).toBe(0);
    expect(heard.map(({ method, url: path }) => `${method} ${path}`)).toEqual(Array(3).fill('POST /v1/tenants/ten_1/suspend'));
    expect(new Set(heard.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
    expect(heard[0]!.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('is not tried again where the wait is long', async () => {
    answers = () => ({ status: 503, headers: { 'retry-after': '60' }, body: { code: 'upstream-unavailable', detail: 'Later.' } });
    expect((await weir(['tenants', 'suspend', 'ten_1'], { env: env() })).code).toBe(1);
    expect(heard).toHaveLength(1);
  });
});

describe('a secret', () => {
  it('comes from standard input and stands in the body, never on the command line', async () => {
    answers = () => ({ status: 201, body: { id: 'key_1', label: 'main', state: 'usable', activeVersion: 1, last4: 'cdef', versions: [], scopes: [], lastCheck: null, createdAt: '2026-11-24T12:00:00Z' } });
    const run = await weir(['keys', 'add', '--platform', '--label', 'main'], { env: env(), stdin: 'tk_live_abcdef\n' });
    expect(run.code).toBe(0);
    expect(heard).toMatchObject([{ method: 'POST', url: '/v1/upstream-keys', body: '{"key":"tk_live_abcdef","label":"main"}' }]);
    expect(run.out + run.err).not.toContain('tk_live_abcdef');
    expect((await weir(['keys', 'add', 'tk_live_abcdef', '--platform'], { env: env() })).code).toBe(2);
    expect((await weir(['keys', 'add', '--platform'], { env: env() })).err).toContain('standard input');
  });

  it('that login stores is in a file of mode 0600, and the environment wins over it', async () => {
    const home = mkdtempSync(join(tmpdir(), 'weir-cli-'));
    const from = join(home, 'standalone.json');
    writeFileSync(from, JSON.stringify({ url: `${url}/`, operatorToken: 'weir_live_op', tenants: [{ id: 'ten_7', slug: 'acme', token: 'weir_live_acme' }] }));
    const login = await weir(['login', '--from', from], { env: { HOME: home } });
    expect(login).toMatchObject({ code: 0, out: expect.stringContaining('operator') });
    expect(login.out).not.toContain('weir_live_op');
    const file = join(home, '.config', 'weir', 'config.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);

    await weir(['tenants', 'list'], { env: { HOME: home } });
    await weir(['tenants', 'list'], { env: { HOME: home, WEIR_TOKEN: 'weir_live_other' } });
    expect(heard.map(({ headers }) => headers.authorization)).toEqual(['Bearer weir_live_op', 'Bearer weir_live_op', 'Bearer weir_live_other']);

    answers = () => ({ status: 403, body: { code: 'forbidden', detail: 'No.' } });
    await weir(['login', '--from', from, '--as', 'acme'], { env: { HOME: home } });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ url, token: 'weir_live_acme', tenant: 'ten_7' });
    await weir(['logout'], { env: { HOME: home } });
    expect((await weir(['tenants', 'list'], { env: { HOME: home } })).code).toBe(2);
  });

  it('that the API does not know is not stored', async () => {
    const home = mkdtempSync(join(tmpdir(), 'weir-cli-'));
    answers = () => ({ status: 401, body: { code: 'unauthenticated', detail: 'This token is not valid.' } });
    expect(await weir(['login', '--url', url], { env: { HOME: home }, stdin: 'weir_live_nope\n' })).toMatchObject({ code: 1, err: expect.stringContaining('unauthenticated') });
    expect((await weir(['tenants', 'list'], { env: { HOME: home } })).code).toBe(2);
  });

  it('stored for one address is not sent to another', async () => {
    const home = mkdtempSync(join(tmpdir(), 'weir-cli-'));
    await weir(['login', '--url', url], { env: { HOME: home }, stdin: 'weir_live_op' });
    heard = [];
    expect(await weir(['tenants', 'list', '--url', 'http://localhost:1'], { env: { HOME: home } })).toMatchObject({ code: 2, err: expect.stringContaining('weir login --url') });
    expect(heard).toEqual([]);
  });
});

describe('money', () => {
  const eur = (amount: string) => ({ amount, currency: 'EUR' });
  const body = () => JSON.parse(heard.at(-1)?.body ?? '{}') as object;

  it('an invoice is a table of its lines and a total', async () => {
    const line = { item: 'credits', description: 'Credits', from: '2026-10-01', to: '2026-10-31', quantity: '2345', unitPrice: eur('4.00'), per: 1000, share: null, amount: eur('9.38') };
    answers = () => ({ body: { number: 'INV-000001', status: 'final', period: '2026-10', total: eur('9.38'), lines: [line] } });
    const { out } = await weir(['invoices', 'show', 'inv_1', '-t', 'ten_1'], { env: env() });
    expect(out).toContain('credits  Credits      2026-10-01  2026-10-31  2345      4.00 EUR    1000  -      9.38 EUR');
    expect(out).toContain('INV-000001  2026-10  9.38 EUR');
  });

  it('a run that fails for a tenant says whose and why, and exits with 1', async () => {
    answers = () => ({ body: { period: '2026-10', drafted: 0, finalized: 3, unchanged: 1, failed: [{ tenantId: 'ten_9', code: 'mixed-currencies', detail: 'two' }] } });
    const { code, err } = await weir(['invoices', 'run', '2026-10'], { env: env() });
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('ten_9: mixed-currencies: two') });
    expect(body()).toEqual({ period: '2026-10', draft: false, reissue: false });
  });

  it('an amount to credit is a number and a currency; anything else is a usage error', async () => {
    answers = () => ({ body: { number: 'CN-000001', period: '2026-10', total: eur('-1.50'), lines: [] } });
    expect((await weir(['invoices', 'credit', 'inv_1', '-t', 'ten_1', '--amount', '1.50EUR', '--reason', 'outage'], { env: env() })).code).toBe(0);
    expect(body()).toEqual({ reason: 'outage', amount: eur('1.50') });
    expect((await weir(['invoices', 'credit', 'inv_1', '-t', 'ten_1', '--amount', 'a lot', '--reason', 'outage'], { env: env() })).code).toBe(2);
  });

  it('a budget’s thresholds are percents or credits', async () => {
    answers = ({ body: sent }) => ({ body: { ...(JSON.parse(sent) as object), usedCredits: 1, remainingCredits: 99, forecastCredits: null } });
    const { out } = await weir(['budgets', 'set', 'all', '100', '-t', 'ten_1', '--hard', '--warn-at', '80%,90'], { env: env() });
    expect(body()).toEqual({ name: 'all', limitCredits: 100, period: 'month', projectId: null, hard: true, forecast: true, thresholds: [{ percent: 80 }, { credits: 90 }] });
    expect(out).toContain('80%, 90');
    expect((await weir(['budgets', 'set', 'all', '100', '-t', 'ten_1', '--warn-at', 'often'], { env: env() })).code).toBe(2);
  });
});

describe('help', () => {
  it('names every command, has examples and the exit codes', async () => {
    const { code, out } = await weir(['--help']);
    expect(code).toBe(0);
    for (const word of ['login', 'tenants', 'tokens', 'keys', 'usage', 'events', 'parked', 'topics', 'migrations', 'completion', 'Examples:', 'Exit codes:']) expect(out).toContain(word);
    expect((await weir(['keys', 'add', '--help'])).out).toContain('< key.txt');
  });

  it('completes commands and choices', async () => {
    expect((await weir(['--get-yargs-completions', 'weir', 'tenants', ''])).out.split('\n')).toEqual(expect.arrayContaining(['create', 'suspend', 'key-mode']));
    expect((await weir(['completion'])).out).toContain('_weir_yargs_completions');
  });
});

describe('relay lag', () => {
  const waits = { tenantId: 'ten_1', events: 12, seconds: 3.04, since: '2026-11-24T12:00:00.000Z', reEmitting: true };

  it('lists every tenant that waits, and shows one, named by id or slug', async () => {
    answers = () => ({ body: { data: [waits], nextCursor: null } });
    expect((await weir(['relay', 'lag'], { env: env() })).out).toMatch(/ten_1 +12 +3\.0 +2026-11-24 12:00:00Z +being re-emitted/);
    const progress = { tenantId: 'ten_1', events: 0, seconds: 0, published: 40, caughtUpAt: '2026-11-24T12:00:00.000Z', reEmitting: false };
    answers = ({ url: path }) => ({ body: path.startsWith('/v1/tenants') ? { data: [tenant(1)], nextCursor: null } : progress });
    expect((await weir(['relay', 'lag', 't1'], { env: env() })).out).toMatch(/not published +0 events\n.*\npublished up to +40/);
    expect(heard.at(-1)?.url).toBe('/v1/relay/lag/ten_1');
    await weir(['relay', 'lag', 'ten_platform'], { env: env() });
    expect(heard.at(-1)?.url).toBe('/v1/relay/lag/ten_platform');
  });
});

describe('migrations', () => {
  const order = { id: 'op_1', state: 'running', startedAt: '2026-11-24T12:00:00.000Z', finishedAt: null, migrated: null, error: null, by: 'operator:op' };
  const inHome = { cluster: 'home', current: 2, behind: 1, error: null, run: { state: 'stopped', homes: 3, done: 1, failed: [{ home: 't_b', detail: 'division by zero' }] } };
  const away = { cluster: 'eu', current: null, behind: null, error: 'connection refused', run: null };
  const failed = { ...order, state: 'failed', finishedAt: '2026-11-24T12:00:09.000Z', error: { code: 'migration-failed', message: 'The migration stopped at t_b: division by zero.' } };
  const said = (run: object | null, databases: object[] = [inHome]) => ({ running: (run as typeof order | null)?.state === 'running', run, release: ['event-store/0001_log'], schemas: { current: 2, behind: 1 }, databases });

  it('show the last run as a whole: how it stands, when it began and ended, its error, and each database', async () => {
    answers = () => ({ body: said(failed, [inHome, away]) });
    const { code, out } = await weir(['migrations', 'status'], { env: env() });
    expect(code).toBe(0);
    for (const line of [/^last run +failed$/m, /^started +2026-11-24 12:00:00Z$/m, /^ended +2026-11-24 12:00:09Z$/m, /^error +migration-failed: The migration stopped at t_b/m, /home: stopped, 1 of 3; t_b failed: division by zero/, /eu: does not answer: connection refused/]) {
      expect(out).toMatch(line);
    }
    answers = () => ({ body: said(null) });
    expect((await weir(['migrations', 'status'], { env: env() })).out).toMatch(/^last run +none$/m);
  });

  it('are followed to the end of a run, whichever replica is asked, and a failed one ends with 1 and its error', async () => {
    answers = ({ method }) => ({ body: said(method === 'POST' ? order : failed) });
    expect(await weir(['migrations', 'run'], { env: env() })).toMatchObject({ code: 1, err: expect.stringContaining('it ended with migration-failed: The migration stopped at t_b') });
    expect(heard.map(({ method }) => method)).toEqual(['POST', 'GET']);
    answers = () => ({ body: said({ ...order, state: 'done', migrated: 1 }, [away]) });
    expect(await weir(['migrations', 'run'], { env: env() })).toMatchObject({ code: 1, err: expect.stringContaining('not known of eu') });
  });
});

describe('limits', () => {
  const limit = { name: 'daily-quota', mode: 'enforced', unit: 'credits', limit: 5000, used: 12, remaining: 4988, resetAt: '2026-11-25T00:00:00.000Z' };
  const override = { from: 'override', name: '*-quota', plan: 'pro@1', expiresAt: '2026-12-01T00:00:00.000Z' };

  it('are listed with what is used of each and where it comes from', async () => {
    const shadow = { ...limit, mode: 'shadow', wouldHaveRefused: 3, source: { from: 'plan', plan: 'pro@1' } };
    const ofKey = { ...limit, name: 'upstream-key', key: 'platform', source: { from: 'ceiling', learned: true, perMinute: 140, configuredPerMinute: 200 } };
    answers = () => ({ body: { data: [{ ...limit, source: override }, shadow, ofKey], nextCursor: null } });
    const { out } = await weir(['limits', 'list', '-t', 'ten_1'], { env: env() });
    expect(out).toContain('override *-quota until 2026-12-01');
    expect(out).toContain('plan pro@1, would have refused 3 in an hour');
    expect(out).toContain('shared key: 140/min, learned, of 200');
    expect(heard[0]).toMatchObject({ method: 'GET', url: '/v1/tenants/ten_1/limits' });
  });

  it('are set by name or pattern, for a while, in the shadow; and cleared', async () => {
    answers = () => ({ body: { name: 'endpoint:*', limit: 60, refillPerSecond: 1, shadow: true, expiresAt: null } });
    const before = Date.now();
    expect((await weir(['limits', 'set', '-t', 'ten_1', 'endpoint:*', '60', '--per-second', '1', '--until', '2h', '--shadow'], { env: env() })).code).toBe(0);
    const { method, url: path, body } = heard[0]!;
    expect([method, path]).toEqual(['PUT', '/v1/tenants/ten_1/limits/endpoint%3A*']);
    const sent = JSON.parse(body) as { expiresAt: string };
    expect(sent).toMatchObject({ limit: 60, refillPerSecond: 1, shadow: true });
    expect(Date.parse(sent.expiresAt) - before).toBeGreaterThanOrEqual(7_200_000);
    answers = () => ({ status: 204 });
    await weir(['limits', 'clear', '-t', 'ten_1', 'endpoint:*', '--shadow'], { env: env() });
    expect(heard[1]).toMatchObject({ method: 'DELETE', url: '/v1/tenants/ten_1/limits/endpoint%3A*?shadow=true' });
    expect((await weir(['limits', 'set', '-t', 'ten_1', 'concurrency', '1', '--until', 'soon'], { env: env() })).code).toBe(2);
  });

  it('of a key: who had how much of it, and what it gives at most', async () => {
    const share = { tenantId: 'ten_1', weight: 4, admitted: 40, fairShare: 40.2, refused: { 'fair-share': 6 }, promised: 3, waited: 2, longestWaitMs: 900, shadow: {} };
    answers = () => ({ body: { tenants: [share], fairness: 0.991, longestWaitMs: 900, promised: 0.5, ceiling: { perMinute: 140, configured: { perMinute: 200, burst: 50 } } } });
    const { out, err } = await weir(['keys', 'shares', 'key_1'], { env: env() });
    expect(out).toMatch(/ten_1 +4 +40 +40 +fair-share 6 +3 +2 +900/);
    expect(err).toBe('fairness 0.991 · longest wait 900 ms · refusals with a promise 50% · 140 a minute, learned, of 200\n');
    answers = () => ({ body: { keyId: 'key_1', perMinute: 12000, burst: 3000, concurrency: 0, configured: { perMinute: 12000, burst: 3000 }, loweredAt: null } });
    await weir(['keys', 'ceiling', 'key_1', '12000'], { env: env() });
    expect(heard[1]).toMatchObject({ method: 'PUT', url: '/v1/upstream-keys/key_1/ceiling' });
    expect(JSON.parse(heard[1]!.body)).toEqual({ perMinute: 12000, burst: 3000, concurrency: 0 });
  });
});

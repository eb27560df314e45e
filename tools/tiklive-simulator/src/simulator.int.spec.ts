import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { tiklive } from '@weir/upstream-catalog';
import { request } from 'undici';
import { startSimulator, type Simulator } from './index';

const REGISTER = resolve(__dirname, '../../build/register.cjs');

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator({ keys: [{ key: 'tk_small', credits: 3 }, { key: 'tk_slow', perMinute: 60, burst: 2 }, { key: 'tk_plain', scopes: [] }] });
});
afterEach(() => simulator.faults.clear());
afterAll(() => simulator.close());

const call = async (path: string, key = 'sim_test_key', requestId = 'req_1/1') => {
  const response = await request(`${simulator.url}${path}`, { headers: { 'x-api-key': key, 'x-request-id': requestId } });
  const text = await response.body.text();
  return { status: response.statusCode, headers: response.headers, text, body: () => JSON.parse(text) as Record<string, unknown> };
};
const admin = async (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: object) => {
  const response = await request(`${simulator.url}/_simulator/${path}`, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const text = await response.body.text();
  return { status: response.statusCode, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> };
};
const last = () => simulator.ledger.page({ limit: 10_000 }).data.at(-1);
const USER = '/userid/?username=adalee';

describe('the simulator', () => {
  it('answers every endpoint of the catalog, with and without the closing slash', async () => {
    const query: Record<string, string> = {
      username: 'adalee', userid: '107955', url: 'https%3A%2F%2Fwww.tiktok.com%2F%40adalee%2Fvideo%2F7300000000000000000', music_id: '1', id: '1',
    };
    for (const endpoint of tiklive.endpoints) {
      const text = endpoint.parameters.filter((p) => p.declared.required).map((p) => `${p.name}=${query[p.name]}`).join('&');
      expect([endpoint.id, (await call(`${endpoint.path}?${text}`)).status]).toEqual([endpoint.id, 200]);
      expect((await call(`${endpoint.path.slice(0, -1)}?${text}`)).status).toBe(200);
    }
  });

  it('refuses a key that it does not know, or that is suspended, with 401 and no charge', async () => {
    expect((await call(USER, 'nonsense')).status).toBe(401);
    expect(last()).toMatchObject({ key: 'nonsense', status: 401, credits: 0 });
    await admin('PATCH', 'keys/tk_plain', { suspended: true });
    expect((await call(USER, 'tk_plain')).status).toBe(401);
    await admin('PATCH', 'keys/tk_plain', { suspended: false });
    expect((await call(USER, 'tk_plain')).status).toBe(200);
  });

  it('charges what succeeds, and is out of credits with 402 when they are used up', async () => {
    expect((await call('/userid/?username=nobody', 'tk_small')).status).toBe(404);
    expect((await call('/userid/?username=%20', 'tk_small')).status).toBe(400);
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await call(USER, 'tk_small')).status);
    expect(statuses).toEqual([200, 200, 200, 402]);
    expect((await call('/balance/', 'tk_small')).body()).toEqual({ credits: 0 });
    expect(simulator.ledger.totals('tk_small')).toEqual([{ key: 'tk_small', attempts: 7, charged: 3, credits: 3 }]);
  });

  it('never charges more than a balance holds, however many calls come at once', async () => {
    await admin('PATCH', 'keys/tk_small', { credits: 5, perMinute: null });
    await admin('DELETE', 'ledger?key=tk_small');
    const statuses = (await Promise.all(Array.from({ length: 40 }, () => call(USER, 'tk_small')))).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(5);
    expect(simulator.ledger.totals('tk_small')).toMatchObject([{ credits: 5, attempts: 40 }]);
  });

  it("limits a key at its own rate with 429 and the seconds until a call passes", async () => {
    const answers = [await call(USER, 'tk_slow'), await call(USER, 'tk_slow'), await call(USER, 'tk_slow')];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(answers[2]!.headers['retry-after']).toBe('1');
  });

  it('keeps downloads from a key without the scope', async () => {
    const url = 'url=https%3A%2F%2Fwww.tiktok.com%2F%40adalee%2Fvideo%2F7300000000000000000';
    expect((await call(`/download-video/?${url}`, 'tk_plain')).status).toBe(403);
    expect((await call(`/post-detail/?${url}`, 'tk_plain')).body()).not.toHaveProperty('play');
    expect((await call(`/post-detail/?${url}`)).body()).toHaveProperty('hdplay');
  });

  it("writes the caller's request id and attempt into the ledger", async () => {
    await call(USER, 'sim_test_key', 'req_01jabc/3');
    expect(last()).toMatchObject({ key: 'sim_test_key', endpoint: 'userid', credits: 1, status: 200, requestId: 'req_01jabc', attempt: 3 });
    await call(USER, 'sim_test_key', 'something-else');
    expect(last()).toMatchObject({ requestId: 'something-else', attempt: null });
  });
});

describe('a fault over HTTP', () => {
  const strike = async (fault: object) => {
    expect((await admin('POST', 'faults', { times: 1, ...fault })).status).toBe(201);
    return call(USER);
  };

  it.each(['401', '402', '403', '500', '502', '503', '504'])('%s is that status, and not charged', async (kind) => {
    expect((await strike({ kind })).status).toBe(Number(kind));
    expect(last()).toMatchObject({ status: Number(kind), credits: 0 });
    expect((await call(USER)).status).toBe(200);
  });

  it('402-body says it with status 200', async () => {
    expect((await strike({ kind: '402-body' })).body()).toEqual({ error: 'Insufficient credits' });
    expect(last()).toMatchObject({ status: 200, credits: 0 });
  });

  it.each([
    [7, '7'], [-5, '-5'], [1e9, '1000000000'], ['soon', 'soon'], [null, undefined],
  ])('429 bears the Retry-After %p', async (retryAfter, header) => {
    expect((await strike({ kind: '429', retryAfter })).headers['retry-after']).toBe(header);
  });

  it('429 bears a date as Retry-After', async () => {
    const at = Date.parse(String((await strike({ kind: '429', retryAfter: { dateInSeconds: 60 } })).headers['retry-after']));
    expect(Math.abs(at - Date.now() - 60_000)).toBeLessThan(5_000);
  });

  it('cut before the headers resets the connection without a charge, unless it is to be charged', async () => {
    await expect(strike({ kind: 'cut' })).rejects.toThrow();
    expect(last()).toMatchObject({ status: 0, credits: 0 });
    await expect(strike({ kind: 'cut', charged: true })).rejects.toThrow();
    expect(last()).toMatchObject({ status: 0, credits: 1 });
  });

  it('cut in the body sends headers and half of it, and charges', async () => {
    await admin('POST', 'faults', { kind: 'cut', at: 'in-body', times: 1 });
    const response = await request(`${simulator.url}${USER}`, { headers: { 'x-api-key': 'sim_test_key' } });
    expect(response.statusCode).toBe(200);
    await expect(response.body.text()).rejects.toThrow();
    expect(last()).toMatchObject({ status: 200, credits: 1 });
  });

  it('gzip-bomb unpacks to valid JSON of its size from a thousandth of it', async () => {
    await admin('POST', 'faults', { kind: 'gzip-bomb', bytes: 8 << 20, times: 1 });
    const response = await fetch(`${simulator.url}${USER}`, { headers: { 'x-api-key': 'sim_test_key' } });
    const text = await response.text();
    expect(text.length).toBeGreaterThan(8 << 20);
    expect(JSON.parse(text)).toHaveProperty('id');
    await admin('POST', 'faults', { kind: 'gzip-bomb', bytes: 8 << 20, times: 1 });
    const packed = await request(`${simulator.url}${USER}`, { headers: { 'x-api-key': 'sim_test_key' } });
    expect((await packed.body.bytes()).length).toBeLessThan(16_384);
  });

  it('bad-json, bad-utf8 and html are no JSON in UTF-8, with status 200', async () => {
    const cut = await strike({ kind: 'bad-json' });
    expect(cut.status).toBe(200);
    expect(() => cut.body()).toThrow();
    await admin('POST', 'faults', { kind: 'bad-utf8', times: 1 });
    const bytes = await (await request(`${simulator.url}${USER}`, { headers: { 'x-api-key': 'sim_test_key' } })).body.bytes();
    expect(() => new TextDecoder('utf-8', { fatal: true }).decode(bytes)).toThrow();
    expect((await strike({ kind: 'html' })).headers['content-type']).toContain('text/html');
  });

  it('shape-drift renames a promised field, in each item of a list too', async () => {
    expect((await strike({ kind: 'shape-drift' })).body()).toEqual({ id_v2: expect.any(String) });
    await admin('POST', 'faults', { kind: 'shape-drift', field: 'videos[].video_id', times: 1 });
    const { videos } = (await call('/user-posts/?userid=107955&count=2')).body() as { videos: object[] };
    expect(videos.map((video) => ['video_id' in video, 'video_id_v2' in video])).toEqual([[false, true], [false, true]]);
  });

  it('proto puts an own __proto__ member before the usual ones', async () => {
    const { text } = await strike({ kind: 'proto' });
    expect(text).toMatch(/^\{"__proto__":\{"isAdmin":true/);
    expect(JSON.parse(text)).toHaveProperty('id');
  });

  it('slow answers later and charges when it does, though the caller has gone', async () => {
    await admin('POST', 'faults', { kind: 'slow', ms: 150, times: 1 });
    const before = simulator.ledger.totals('sim_test_key')[0]!.credits;
    await expect(request(`${simulator.url}${USER}`, { headers: { 'x-api-key': 'sim_test_key' }, signal: AbortSignal.timeout(50) })).rejects.toThrow();
    while (simulator.ledger.totals('sim_test_key')[0]!.credits === before) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(simulator.ledger.totals('sim_test_key')[0]!.credits).toBe(before + 1);
  });
});

describe('the admin API', () => {
  it('makes, shows, changes and removes keys', async () => {
    expect(await admin('POST', 'keys', { key: 'tk_new' })).toMatchObject({ status: 201, body: { credits: null, perMinute: 200, burst: 50, scopes: ['download'] } });
    expect((await admin('POST', 'keys', { key: 'tk_new' })).status).toBe(409);
    expect((await admin('PATCH', 'keys/tk_new', { credits: 9 })).body).toMatchObject({ credits: 9, perMinute: 200 });
    expect((await admin('DELETE', 'keys/tk_new')).status).toBe(204);
    expect((await admin('GET', 'keys/tk_new')).status).toBe(404);
    expect((await admin('DELETE', 'keys/sim_test_key')).status).toBe(404);
  });

  it('names the field that is wrong', async () => {
    expect(await admin('POST', 'keys', { key: 'k', credits: -1 })).toMatchObject({ status: 400, body: { error: expect.stringContaining('credits') } });
    expect(await admin('POST', 'faults', { kind: 'explode' })).toMatchObject({ status: 400, body: { error: expect.stringContaining('kind') } });
    expect((await admin('GET', 'nothing')).status).toBe(404);
  });

  it('sets the latency of the calls that follow', async () => {
    await admin('PUT', 'settings', { latencyP50Ms: 60, latencySigma: 0 });
    const started = performance.now();
    await call(USER);
    expect(performance.now() - started).toBeGreaterThan(55);
    expect((await admin('PUT', 'settings', { latencyP50Ms: 0 })).body).toEqual({ latencyP50Ms: 0, latencySigma: 0 });
  });

  it('pages the ledger and lists and lifts faults', async () => {
    expect(await admin('GET', 'ledger?limit=1')).toMatchObject({ status: 200, body: { data: [{ seq: 1 }], next: 1 } });
    const { body } = await admin('POST', 'faults', { kind: '500', key: 'nobody' });
    expect((await admin('GET', 'faults')).body).toMatchObject({ data: [{ id: body.id, kind: '500', struck: 0 }] });
    expect((await admin('DELETE', `faults/${String(body.id)}`)).status).toBe(204);
    expect((await admin('GET', 'health')).body).toMatchObject({ ok: true, faults: 0 });
  });
});

describe('two simulators', () => {
  it('do not take the same port', async () => {
    const port = Number(new URL(simulator.url).port);
    await expect(startSimulator({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('a process of it', () => {
  it('that is killed has forgotten no call that it answered', async () => {
    const stateFile = join(mkdtempSync(join(tmpdir(), 'simulator-')), 'state.jsonl');
    const child = spawn(process.execPath, ['--require', REGISTER, join(__dirname, 'main.ts'), '--port=0', '--latency-p50-ms=0', `--state-file=${stateFile}`], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const url = line.toString().trim().replace('ready ', '');
    await request(`${url}/_simulator/keys`, { method: 'POST', body: '{"key":"tk","credits":100000,"perMinute":null}' });

    const answered: string[] = [];
    await Promise.allSettled(
      Array.from({ length: 1_000 }, async (_, i) => {
        const response = await request(`${url}${USER}`, { headers: { 'x-api-key': 'tk', 'x-request-id': `req_${i}/1` } });
        await response.body.dump();
        if (answered.push(`req_${i}`) === 300) child.kill('SIGKILL');
      }),
    );

    const after = await startSimulator({ stateFile });
    const kept = new Set(after.ledger.page({ key: 'tk', limit: 10_000 }).data.map(({ requestId }) => requestId));
    expect(answered.length).toBeGreaterThanOrEqual(300);
    expect(answered.filter((id) => !kept.has(id))).toEqual([]);
    expect(after.keys.find('tk')!.credits).toBe(100_000 - kept.size);
    await after.close();
  });
});

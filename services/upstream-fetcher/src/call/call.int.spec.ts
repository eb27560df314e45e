import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { upstreamSignal, type UpstreamKeyState } from '@weir/contracts';
import { newId } from '@weir/kernel';
import { eventually, freshDatabase, freshRedis, type TestDatabase, type TestRedis } from '@weir/testing';
import { startSimulator, type NewFault, type Simulator } from '@weir/tiklive-simulator';
import { startFetcher, type RunningFetcher, type SpecTenant } from '../testing/running-fetcher';

/** The way of one call, over a real upstream's stand-in, a real bus and a real database, with each of the limiter's stores. */
describe.each(['memory', 'redis'] as const)('a call, limits counted in %s', (limiter) => {
  let database: TestDatabase;
  let redis: TestRedis;
  let simulator: Simulator;
  let fetcher: RunningFetcher;
  let dataDir: string;
  let platformKey: UpstreamKeyState;
  let user = 0;

  /** Nobody has asked for this one yet. */
  const someone = () => `/userid/?username=user_${limiter}_${++user}`;
  const fault = (kind: NewFault) => simulator.faults.add(kind);
  const ledgerOf = (key: string) => simulator.ledger.page({ key, limit: 10_000 }).data;

  /** A tenant on a key of its own, which the simulator knows. */
  async function tenantWithOwnKey(
    options: Parameters<RunningFetcher['newTenant']>[0] = {},
  ): Promise<{ tenant: SpecTenant; secret: string; key: UpstreamKeyState }> {
    const tenant = await fetcher.newTenant({ ...options, state: { keyMode: 'byo', ...options.state } });
    const secret = `own-${tenant.id}`;
    simulator.keys.set({ key: secret, credits: null, perMinute: null, burst: 1, scopes: ['download'], suspended: false });
    return { tenant, secret, key: await fetcher.newKey(secret, { owner: tenant.id }) };
  }

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'weir-fetcher-'));
    [database, redis, simulator] = await Promise.all([freshDatabase(), freshRedis(), startSimulator()]);
    fetcher = await startFetcher({
      database,
      dataDir,
      upstreamUrl: simulator.url,
      environment: { WEIR_SIMULATOR_URL: simulator.url, WEIR_LIMITER: limiter, WEIR_REDIS_URL: redis.url },
    });
    simulator.keys.set({
      key: 'platform-secret',
      credits: null,
      perMinute: null,
      burst: 1,
      scopes: ['download'],
      suspended: false,
    });
    platformKey = await fetcher.newKey('platform-secret');
    await fetcher.setCeiling({ keyId: platformKey.id, perMinute: 1e6, burst: 1e5, concurrency: 0 });
  }, 60_000);

  afterAll(async () => {
    await fetcher?.stop();
    await Promise.all([simulator?.close(), redis?.close()]);
    await database?.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);

  beforeEach(() => simulator.faults.clear());

  it("answers with the upstream's body byte for byte, and says whose key, what it cost and what is left", async () => {
    const tenant = await fetcher.newTenant({ terms: { dailyCredits: 100 } });
    const path = someone();
    const answer = await tenant.call(path);
    expect(answer).toMatchObject({ status: 200, body: { id: expect.any(String) } });
    const direct = await fetch(simulator.url + path, { headers: { 'x-api-key': 'sim_test_key' } });
    expect(answer.text).toBe(await direct.text());
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'weir-request-id': expect.stringMatching(/^req_/),
      'weir-credits': '1',
      'weir-key': 'platform',
      'weir-cache': 'miss',
      ratelimit: expect.stringContaining('"daily-quota";r=99'),
      'ratelimit-policy': expect.stringContaining('"daily-quota";q=100'),
      'x-ratelimit-limit': expect.any(String),
      'content-type': expect.stringContaining('application/json'),
    });
  });

  it('serves the second identical call from the cache, at the price of a hit, and a fresh one when asked', async () => {
    const tenant = await fetcher.newTenant();
    const path = someone();
    const first = await tenant.call(path);
    const second = await eventually(async () => {
      const answer = await tenant.call(path);
      expect(answer.headers.get('weir-cache')).toBe('hit');
      return answer;
    });
    expect(second.text).toBe(first.text);
    expect(second.headers.get('weir-credits')).toBe('0');
    expect(second.headers.get('age')).toMatch(/^\d$/);
    const fresh = await tenant.call(path, { 'weir-max-age': '0' });
    expect(fresh.headers.get('weir-cache')).toBe('miss');
    expect((await tenant.call(path, { 'weir-max-age': 'soon' })).status).toBe(400);
    const usage = await eventually(async () => {
      const records = await fetcher.usageOf(tenant);
      expect(records.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['held', 'settled', 'served', 'held', 'settled']));
      return records;
    });
    const settled = usage.flatMap((record) => (record.kind === 'settled' ? [record] : []));
    expect(settled).toHaveLength(2);
    expect(settled[0]).toMatchObject({
      upstreamCredits: 1,
      chargedCredits: 1,
      upstreamStatus: 200,
      difference: null,
      keyOwner: 'platform',
      mode: 'live',
      attempt: 1,
    });
  });

  it('takes the token as X-Api-Key too, and refuses two Authorization headers, whatever a forged X-Tenant-Id says (G8)', async () => {
    const tenant = await fetcher.newTenant();
    const other = await fetcher.newTenant();
    const path = someone();
    expect((await fetcher.request(`/tiklive${path}`, { 'x-api-key': tenant.token, 'x-tenant-id': other.id })).status).toBe(200);
    expect(await twoTokens(fetcher.url, `/tiklive${path}`, [tenant.token, other.token])).toMatch(
      /^HTTP\/1.1 400 [^]*invalid-request/,
    );
    await eventually(async () => expect(await fetcher.usageOf(tenant)).toHaveLength(2));
    expect(await fetcher.usageOf(other)).toEqual([]);
  });

  it('refuses without a token, without a right to call, a suspended tenant and an unknown path, each by its code', async () => {
    const tenant = await fetcher.newTenant();
    const auditor = await fetcher.newTenant({ role: 'auditor' });
    const codeOf = async (answer: Promise<{ status: number; body: { code: string } }>) =>
      (({ status, body }) => [status, body.code])(await answer);
    expect(await codeOf(fetcher.request('/tiklive/userid/?username=x'))).toEqual([401, 'unauthenticated']);
    expect(await codeOf(auditor.call(someone()))).toEqual([403, 'forbidden']);
    expect(await codeOf(tenant.call('/no-such/'))).toEqual([404, 'unknown-endpoint']);
    expect(await codeOf(tenant.call('/userid/'))).toEqual([400, 'invalid-parameter']);
    expect(await codeOf(tenant.call('/userid/?username=a&username=b'))).toEqual([400, 'invalid-parameter']);
    expect(await codeOf(tenant.call('/userid/?username=a&more=1'))).toEqual([400, 'invalid-parameter']);
    await tenant.change({ status: 'suspended' });
    expect(await codeOf(tenant.call(someone()))).toEqual([403, 'tenant-suspended']);
  });

  it('lets no address but a listed page through to the upstream (F9)', async () => {
    const tenant = await fetcher.newTenant();
    const before = ledgerOf('platform-secret').length;
    const attacks = [
      'file:///etc/passwd',
      'http://127.0.0.1/',
      'https://2130706433/',
      'https://0x7f.1/',
      'https://[::ffff:127.0.0.1]/',
      'https://www.tiktok.com@evil.example/video/1',
      'https://www.tiktok.com:8080/video/1',
      'https://www.tiktok.com.evil.example/video/1',
      'https://www.tiktok.com/%0d%0aX-Api-Key:%20x',
      'https://www.tiktok.com/\r\nHost: evil',
    ];
    for (const url of attacks) {
      const answer = await tenant.call(`/post-detail/?url=${encodeURIComponent(url)}`);
      expect([url, answer.status, answer.body.code]).toEqual([url, 400, 'invalid-parameter']);
    }
    expect(ledgerOf('platform-secret')).toHaveLength(before);
    expect(await fetcher.usageOf(tenant)).toEqual([]);
  });

  it('makes one upstream call of 1,000 concurrent misses of one thing, over several tenants that share (F8)', async () => {
    const tenants = await Promise.all([fetcher.newTenant({ terms: { coalescedPrice: 0 } }), fetcher.newTenant()]);
    fault({ kind: 'slow', ms: 400, endpoint: 'userid' });
    const before = ledgerOf('platform-secret').length;
    const path = someone();
    const answers = await Promise.all(Array.from({ length: 1_000 }, (_, i) => (tenants[i % 2] as SpecTenant).call(path)));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(ledgerOf('platform-secret')).toHaveLength(before + 1);
    const how = answers.map(({ headers }) => headers.get('weir-cache'));
    expect(how.filter((cache) => cache === 'miss')).toHaveLength(1);
    expect(how.filter((cache) => cache === 'coalesced').length).toBeGreaterThan(100);
    expect(answers.reduce((sum, { headers }) => sum + Number(headers.get('weir-credits')), 0)).toBe(1);
    await eventually(async () => {
      const usage = (await Promise.all(tenants.map((tenant) => fetcher.usageOf(tenant)))).flat();
      expect(usage.length).toBe(1_001);
      expect(usage.reduce((sum, record) => sum + (record.kind === 'held' ? 0 : record.chargedCredits), 0)).toBe(1);
    });
  }, 30_000);

  it('never serves what came on an own key, or without a shared cache, to another tenant (F8)', async () => {
    const path = someone();
    const [one, two] = await Promise.all([tenantWithOwnKey(), tenantWithOwnKey()]);
    const alone = await fetcher.newTenant({ terms: { sharedCache: false } });
    const sharing = await fetcher.newTenant();
    for (const tenant of [one.tenant, two.tenant, alone, sharing]) {
      expect((await tenant.call(path)).headers.get('weir-cache')).toBe('miss');
    }
    expect(ledgerOf(one.secret)).toHaveLength(1);
    expect(ledgerOf(two.secret)).toHaveLength(1);
    await eventually(async () => expect((await one.tenant.call(path)).headers.get('weir-cache')).toBe('hit'));
    expect((await (await fetcher.newTenant()).call(path)).headers.get('weir-cache')).toBe('hit');
  });

  it('never keeps or shares the addresses of /download-video/ (F11)', async () => {
    const tenant = await fetcher.newTenant();
    const path = `/download-video/?url=${encodeURIComponent('https://www.tiktok.com/@a/video/1')}`;
    fault({ kind: 'slow', ms: 100, endpoint: 'download-video' });
    const answers = await Promise.all([tenant.call(path), tenant.call(path)]);
    answers.push(await tenant.call(path, { 'weir-max-age': '600' }));
    expect(answers.map(({ status, headers }) => [status, headers.get('weir-cache')])).toEqual(Array(3).fill([200, 'miss']));
  });

  it.each<[string, NewFault]>([
    ['a gzip bomb', { kind: 'gzip-bomb', bytes: 100_000_000, times: 1 }],
    ['bad UTF-8', { kind: 'bad-utf8', times: 1 }],
    ['a member __proto__', { kind: 'proto', times: 1 }],
    ['a changed shape', { kind: 'shape-drift', times: 1 }],
    ['200 with HTML', { kind: 'html', times: 1 }],
    ['bad JSON', { kind: 'bad-json', times: 1 }],
  ])('answers 502 to %s, keeps nothing of it and does not bill the tenant (F10)', async (_, spoiled) => {
    const { tenant, secret } = await tenantWithOwnKey();
    fault({ ...spoiled, charged: true });
    const path = someone();
    const answer = await tenant.call(path);
    expect([answer.status, answer.body.code, answer.headers.get('weir-credits')]).toEqual([502, 'upstream-failed', '0']);
    await eventually(async () =>
      expect((await fetcher.usageOf(tenant)).at(-1)).toMatchObject({
        kind: 'settled',
        upstreamCredits: 1,
        chargedCredits: 0,
        difference: 'absorbed',
      }),
    );
    expect(ledgerOf(secret)).toMatchObject([{ credits: 1 }]);
    expect((await tenant.call(path)).headers.get('weir-cache')).toBe('miss');
  });

  it.each<[string, NewFault]>([
    ['402', { kind: '402', times: 1 }],
    ['a body that says so', { kind: '402-body', times: 1 }],
  ])('takes %s for an own key without credits, and tells the vault (F3)', async (_, depleted) => {
    const { tenant, key } = await tenantWithOwnKey();
    fault(depleted);
    const answer = await tenant.call(someone());
    expect([answer.status, answer.body.code, answer.headers.get('weir-key')]).toEqual([402, 'upstream-credits-depleted', 'own']);
    const signalsOf = async () => (await fetcher.records(upstreamSignal)).filter(({ keyId }) => keyId === key.id);
    await eventually(async () =>
      expect(await signalsOf()).toMatchObject([{ signal: 'depleted', keyVersion: 1, tenantId: tenant.id, owner: tenant.id }]),
    );
    expect((await tenant.call(someone())).status).toBe(200);
    await eventually(async () => expect((await signalsOf()).map(({ signal }) => signal)).toEqual(['depleted', 'accepted']));
  });

  it('answers 424 when the upstream refuses the own key, and 402 or 424 without asking once that is known', async () => {
    const { tenant, key, secret } = await tenantWithOwnKey();
    simulator.keys.remove(secret);
    const refused = await tenant.call(someone());
    expect([refused.status, refused.body.code]).toEqual([424, 'upstream-key-invalid']);
    const asked = ledgerOf(secret).length;
    await fetcher.changeKey(key, { status: 'depleted' });
    expect((await tenant.call(someone())).body.code).toBe('upstream-credits-depleted');
    await fetcher.changeKey(key, { status: 'invalid' });
    expect((await tenant.call(someone())).body.code).toBe('upstream-key-invalid');
    await fetcher.removeKey(key);
    expect((await tenant.call(someone())).body.code).toBe('upstream-key-missing');
    expect(ledgerOf(secret)).toHaveLength(asked);
  });

  it.each<[string, Extract<NewFault, { kind: '429' }>['retryAfter'], number, number]>([
    ['in seconds', 30, 30, 30],
    ['as a date', { dateInSeconds: 20 }, 18, 21],
    ['that is absent', null, 1, 1],
    ['that is negative', -5, 1, 1],
    ['of 10^9', 1e9, 60, 60],
  ])(
    "answers the upstream's 429 with a Retry-After %s, clamped, and does not ask again before it (F4, L9)",
    async (_, retryAfter, least, most) => {
      const { tenant, secret, key } = await tenantWithOwnKey();
      fault({ kind: '429', retryAfter, times: 1 });
      const answer = await tenant.call(someone());
      expect([answer.status, answer.body]).toEqual([
        429,
        expect.objectContaining({ code: 'rate-limited', origin: 'upstream', limitedBy: 'upstream' }),
      ]);
      const seconds = Number(answer.headers.get('retry-after'));
      expect(seconds).toBeGreaterThanOrEqual(least);
      expect(seconds).toBeLessThanOrEqual(most);
      const again = await tenant.call(someone());
      expect([again.status, again.body.limitedBy]).toEqual([429, 'upstream']);
      expect(ledgerOf(secret)).toHaveLength(1);
      await eventually(async () =>
        expect((await fetcher.records(upstreamSignal)).filter(({ keyId }) => keyId === key.id)).toMatchObject([
          { signal: 'rate-limited' },
        ]),
      );
    },
  );

  it('waits for a 429 that ends within a second, and the tenant sees nothing of it', async () => {
    const { tenant, secret } = await tenantWithOwnKey();
    fault({ kind: '429', retryAfter: 1, times: 1 });
    expect((await tenant.call(someone())).status).toBe(200);
    expect(ledgerOf(secret).map(({ status, attempt }) => [status, attempt])).toEqual([
      [429, 1],
      [200, 2],
    ]);
    await eventually(async () =>
      expect((await fetcher.usageOf(tenant)).map(({ kind }) => kind)).toEqual(['held', 'settled', 'held', 'settled']),
    );
  });

  it('names whose limit a 429 was and when again; the refused call spends nothing (L9)', async () => {
    const small = await fetcher.newTenant({ terms: { bucket: { capacity: 2, refillPerSecond: 0.5 }, dailyCredits: 100 } });
    await small.call(someone());
    await small.call(someone());
    const refused = await small.call(someone());
    expect([refused.status, refused.body]).toEqual([
      429,
      expect.objectContaining({ code: 'rate-limited', origin: 'weir', limitedBy: 'tenant-bucket' }),
    ]);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(2);
    expect(refused.headers.get('ratelimit')).toContain('"daily-quota";r=98');

    const poor = await fetcher.newTenant({ terms: { dailyCredits: 1 } });
    expect((await poor.call(someone())).status).toBe(200);
    const over = await poor.call(someone());
    expect([over.status, over.body.limitedBy]).toEqual([429, 'daily-quota']);
    expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(1);
    expect((await fetcher.usageOf(poor)).filter(({ kind }) => kind === 'held')).toHaveLength(1);

    const { tenant, key } = await tenantWithOwnKey();
    await fetcher.setCeiling({ keyId: key.id, perMinute: 6, burst: 1, concurrency: 0 });
    expect((await tenant.call(someone())).status).toBe(200);
    const byKey = await tenant.call(someone());
    expect([byKey.status, byKey.body.limitedBy, byKey.headers.get('retry-after')]).toEqual([429, 'upstream-key', '10']);
    expect(byKey.headers.get('ratelimit')).toContain('"daily-quota";r=99999');
  });

  it('holds a caller who asks for it, as long as its plan lets it, instead of refusing it', async () => {
    const terms = { bucket: { capacity: 1, refillPerSecond: 2 }, maxWaitMs: 2_000 };
    const tenant = await fetcher.newTenant({ terms });
    expect((await tenant.call(someone())).status).toBe(200);
    expect((await tenant.call(someone())).status).toBe(429);
    expect((await tenant.call(someone(), { 'weir-max-wait': '2' })).status).toBe(200);
    const { tenant: other, key } = await tenantWithOwnKey({ terms: { maxWaitMs: 2_000 } });
    await fetcher.setCeiling({ keyId: key.id, perMinute: 60, burst: 1, concurrency: 0 });
    expect((await other.call(someone())).status).toBe(200);
    expect((await other.call(someone(), { 'weir-max-wait': '5' })).status).toBe(200);
    const hasty = await fetcher.newTenant({ terms: { ...terms, maxWaitMs: 0 } });
    await hasty.call(someone());
    expect((await hasty.call(someone(), { 'weir-max-wait': '5' })).status).toBe(429);
  });

  it('refuses a tenant whose use so far nobody knows, rather than begin at zero', async () => {
    const tenant = await fetcher.newTenant({ quota: false });
    const answer = await tenant.call(someone());
    expect([answer.status, answer.body.code, answer.headers.get('retry-after')]).toEqual([503, 'not-accountable', '1']);
  });

  it.each(['failing', 'hanging'] as const)(
    'sends nothing while the bus is %s, and gives back what admission took',
    async (state) => {
      const { tenant, secret } = await tenantWithOwnKey({ terms: { concurrency: 1, dailyCredits: 1 } });
      fetcher.setBus(state);
      try {
        const answer = await tenant.call(someone());
        expect([answer.status, answer.body.code]).toEqual([503, 'not-accountable']);
        expect(ledgerOf(secret)).toEqual([]);
      } finally {
        fetcher.setBus('up');
      }
      await eventually(async () => expect((await tenant.call(someone())).status).toBe(200));
      await eventually(async () => {
        const usage = await fetcher.usageOf(tenant);
        const held = usage.filter(({ kind }) => kind === 'held').map(({ requestId }) => requestId);
        const closed = usage.filter(({ kind }) => kind === 'settled' || kind === 'released').map(({ requestId }) => requestId);
        expect(closed).toEqual(expect.arrayContaining(held));
      });
    },
  );

  it("passes the upstream's own 4xx through unchanged, free as the catalog says", async () => {
    const { tenant } = await tenantWithOwnKey();
    fault({ kind: '403', times: 1 });
    const answer = await tenant.call(someone());
    expect(answer.status).toBe(403);
    expect(answer.body.code).not.toBe('forbidden');
    expect(answer.headers.get('weir-credits')).toBe('0');
  });

  it('retries a 503 as an attempt of its own, and gives up on a 500 at once', async () => {
    const { tenant, secret } = await tenantWithOwnKey();
    fault({ kind: '503', times: 1, key: secret });
    expect((await tenant.call(someone())).status).toBe(200);
    expect(ledgerOf(secret).map(({ status, attempt }) => [status, attempt])).toEqual([
      [503, 1],
      [200, 2],
    ]);
    fault({ kind: '500', times: 1, key: secret });
    expect((await tenant.call(someone())).body.code).toBe('upstream-failed');
    expect(ledgerOf(secret)).toHaveLength(3);
  });

  it('answers 504 to an upstream that is slow, leaves its hold open, and does not bill the tenant (F6)', async () => {
    const { tenant, secret } = await tenantWithOwnKey({ terms: { dailyCredits: 1 } });
    fault({ kind: 'slow', ms: 4_000, key: secret, times: 1 });
    const answer = await tenant.call(someone());
    expect([answer.status, answer.body.code, answer.headers.get('weir-credits')]).toEqual([504, 'upstream-timeout', '0']);
    expect((await tenant.call(someone())).status).toBe(200);
    await eventually(async () =>
      expect((await fetcher.usageOf(tenant)).map(({ kind }) => kind).sort()).toEqual(['held', 'held', 'settled']),
    );
  });

  it('finishes, settles and keeps a call whose client has gone (F6)', async () => {
    const { tenant, secret } = await tenantWithOwnKey();
    const path = someone();
    fault({ kind: 'slow', ms: 2_000, key: secret, times: 1 });
    const gone = new AbortController();
    const call = fetch(`${fetcher.url}/tiklive${path}`, {
      headers: { authorization: `Bearer ${tenant.token}` },
      signal: gone.signal,
    });
    await eventually(async () => expect((await fetcher.usageOf(tenant)).map(({ kind }) => kind)).toEqual(['held']));
    gone.abort();
    await expect(call).rejects.toThrow();
    await eventually(async () =>
      expect((await fetcher.usageOf(tenant)).at(-1)).toMatchObject({ kind: 'settled', chargedCredits: 1 }),
    );
    await eventually(async () => expect((await tenant.call(path)).headers.get('weir-cache')).toBe('hit'));
    expect(ledgerOf(secret)).toHaveLength(1);
  });

  it('tries the next key of the pool when one is refused, and tells when none is left', async () => {
    const tenant = await fetcher.newTenant();
    const bad = await fetcher.newKey('nobody-knows-it', { weight: 1e9 });
    try {
      const answer = await tenant.call(someone());
      expect([answer.status, answer.headers.get('weir-key')]).toEqual([200, 'platform']);
      expect(ledgerOf('nobody-knows-it').length).toBeGreaterThan(0);
      await fetcher.changeKey(platformKey, { status: 'quarantined' });
      const none = await tenant.call(someone());
      expect([none.status, none.body.code]).toEqual([503, 'upstream-unavailable']);
      expect(none.headers.get('retry-after')).toMatch(/^\d+$/);
    } finally {
      await fetcher.changeKey(platformKey, { status: 'usable' });
      await fetcher.removeKey(bad);
    }
  });

  it("uses the platform's key in hybrid mode until an own key is active, and ends the trial", async () => {
    const trial = await fetcher.newTenant({ state: { keyMode: 'hybrid', trialEndsAt: Date.now() + 60_000 } });
    expect((await trial.call(someone())).headers.get('weir-key')).toBe('platform');
    await trial.change({ trialEndsAt: Date.now() - 1 });
    expect((await trial.call(someone())).body.code).toBe('trial-ended');
    const secret = `own-${newId('key')}`;
    simulator.keys.set({ key: secret, credits: null, perMinute: null, burst: 1, scopes: ['download'], suspended: false });
    await fetcher.newKey(secret, { owner: trial.id });
    expect((await trial.call(someone())).headers.get('weir-key')).toBe('own');
    expect(ledgerOf(secret)).toHaveLength(1);
  });

  it("sends a test token's call to the simulator's own key, on no quota and in no other's cache", async () => {
    const tenant = await fetcher.newTenant({ terms: { dailyCredits: 1 }, state: { keyMode: 'byo' } });
    const before = ledgerOf('sim_test_key').length;
    const path = someone();
    const headers = { authorization: `Bearer ${tenant.testToken}` };
    expect((await tenant.call(path, headers)).status).toBe(200);
    expect((await tenant.call(someone(), headers)).status).toBe(200);
    expect(ledgerOf('sim_test_key')).toHaveLength(before + 2);
    await eventually(async () =>
      expect((await fetcher.usageOf(tenant)).at(-1)).toMatchObject({ kind: 'settled', mode: 'test', keyId: 'key_simulator' }),
    );
    expect((await (await fetcher.newTenant()).call(path)).headers.get('weir-cache')).toBe('miss');
  });

  it("stores a user's profile in the schema of each tenant that asked for it, and of no other", async () => {
    const [one, two, three] = await Promise.all([fetcher.newTenant(), fetcher.newTenant(), fetcher.newTenant()]);
    const path = `/userinfo-by-username/?username=profile_${limiter}`;
    const answer = await one.call(path);
    await eventually(async () => expect((await two.call(path)).headers.get('weir-cache')).toBe('hit'));
    const { secUid, uniqueId } = answer.body.user as { secUid: string; uniqueId: string };
    const snapshot = (tenant: SpecTenant, of: SpecTenant, user: string) =>
      fetcher.request(`/v1/tenants/${of.id}/snapshots/users/${user}`, { authorization: `Bearer ${tenant.token}` });
    for (const tenant of [one, two]) {
      await eventually(async () =>
        expect(await snapshot(tenant, tenant, secUid)).toMatchObject({
          status: 200,
          body: { secUid, uniqueId, profile: answer.body },
        }),
      );
    }
    expect((await snapshot(one, one, uniqueId.toUpperCase())).status).toBe(200);
    expect((await snapshot(three, three, secUid)).status).toBe(404);
    expect((await snapshot(three, one, secUid)).status).toBe(404);
  });

  it('shows the catalog to whoever has a token', async () => {
    const tenant = await fetcher.newTenant({ role: 'auditor' });
    const catalog = await fetcher.request('/v1/catalog', { authorization: `Bearer ${tenant.token}` });
    expect(catalog).toMatchObject({ status: 200, body: { basePath: '/tiklive', endpoints: expect.any(Array) } });
    const { body: reference } = await fetcher.request('/v1/openapi.json');
    expect(reference.paths['/tiklive/user-posts/'].get.parameters).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'count', in: 'query', schema: expect.objectContaining({ default: 30 }) }),
      ]),
    );
  });
});

/** As no client library would send it. */
async function twoTokens(url: string, path: string, tokens: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const lines = tokens.map((token) => `Authorization: Bearer ${token}\r\n`).join('');
  socket.end(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${lines}\r\n`);
  return text(socket);
}

import { ask, eventually, type Answer } from './http';
import type { Journey } from './journey';

/**
 * The steps that both shapes take, as tests of one describe block: each builds on those before it.
 *
 * @param firstCallWithinMs from the request for a tenant to its first answered call
 */
export function journeySteps(journey: () => Journey, { firstCallWithinMs = 2_000 } = {}): void {
  const secUids = new Map<string, string>();

  it('seals a platform key after trying it against the upstream', async () => {
    await journey().fillSimulator();
    await journey().registerPlatformKey();
  });

  it('makes three tenants (shared, byo, hybrid), each with a schema of its own and a token, calling within 2 s of the request', async () => {
    const { id } = await journey().createTenant('shared', 'pro');
    await journey().createTenant('byo', 'enterprise');
    await journey().createTenant('hybrid', 'pro');
    const { body } = await journey().operator('GET', `/v1/tenants/${id}/isolation`);
    expect(body).toMatchObject({ placement: 'schema', schema: `t_${id.slice(4)}`, others: [], migration: { missing: [] } });
    expect(body.tables.filter(({ rowSecurity }: { rowSecurity: string }) => rowSecurity !== 'forced')).toEqual([]);
    const times = [journey().of('shared').firstCallMs, journey().of('hybrid').firstCallMs];
    const best = () => Math.min(...times.map((ms) => ms ?? Infinity));
    // the best of a few, so that a machine that is busy with something else is not what is tested
    for (let n = 1; n <= 3 && best() > firstCallWithinMs; n++) times.push((await journey().createTenant('shared', 'pro', { as: `spare${n}` })).firstCallMs);
    expect(best()).toBeLessThanOrEqual(firstCallWithinMs);
  });

  it('refuses a byo tenant without a key, in words that say what to do, and serves it once its key has been tried and sealed', async () => {
    const byo = journey().of('byo');
    const without = await journey().call(byo, 'nobody.yet');
    expect({ status: without.status, code: without.body.code }).toEqual({ status: 409, code: 'upstream-key-missing' });
    await journey().registerOwnKey('byo');
    await eventually(async () => expect((await journey().call(byo, 'charlidamelio')).status).toBe(200));
  });

  it('calls with the right key: the platform’s for shared, the own for byo, the platform’s for hybrid without one', async () => {
    for (const [mode, key] of [['shared', 'platform'], ['byo', 'own'], ['hybrid', 'platform']] as const) {
      const answer = await journey().call(journey().of(mode), `whose.key.${mode}`);
      expect({ status: answer.status, key: answer.headers.get('weir-key'), cache: answer.headers.get('weir-cache'), credits: answer.headers.get('weir-credits') }).toEqual({ status: 200, key, cache: 'miss', credits: '1' });
      expect(answer.headers.get('weir-request-id')).toMatch(/^req_/);
      expect(answer.body.user.uniqueId).toBe(`whose.key.${mode}`);
      secUids.set(mode, answer.body.user.secUid);
    }
  });

  it("gives the upstream's body byte for byte, and takes the token where a client of the upstream puts its key", async () => {
    const direct = await ask(journey().running.simulatorUrl, 'GET', '/userid/?username=tiktok', { headers: { 'x-api-key': 'sim_test_key' } });
    const through = await journey().anyone('GET', '/tiklive/userid/?username=tiktok', { headers: { 'x-api-key': journey().of('shared').token } });
    expect([through.status, through.text]).toEqual([200, direct.text]);
  });

  it('answers the second identical call from the cache, at the price of a hit', async () => {
    const again = await journey().call(journey().of('shared'), 'whose.key.shared');
    expect({ cache: again.headers.get('weir-cache'), credits: again.headers.get('weir-credits') }).toEqual({ cache: 'hit', credits: '0' });
  });

  it('L9 refuses past a small bucket with a 429 that names the bucket, and a call at Retry-After is served', async () => {
    const shared = journey().of('shared');
    const set = await journey().operator('PUT', `/v1/tenants/${shared.id}/limits/tenant-bucket`, { body: { limit: 2, refillPerSecond: 0.5 } });
    expect(set.status).toBe(200);
    // every replica has heard of it when several calls in a row say so, refused or not
    const refused = await eventually(async () => {
      const answers = [];
      for (let call = 0; call < 4; call++) answers.push(await journey().call(shared, 'whose.key.shared'));
      for (const { headers } of answers) expect(headers.get('ratelimit-policy')).toContain('"tenant-bucket";q=2;');
      const last = answers[3] as Answer;
      expect(last.status).toBe(429);
      return last;
    });
    expect(refused.body).toMatchObject({ code: 'rate-limited', origin: 'weir', limitedBy: 'tenant-bucket' });
    expect(refused.headers.get('ratelimit')).toContain('"tenant-bucket";r=0');
    const seconds = Number(refused.headers.get('retry-after'));
    expect(seconds).toBeGreaterThanOrEqual(1);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    const { status, body } = await journey().call(shared, 'whose.key.shared');
    expect({ status, refusal: status === 200 ? undefined : body }).toEqual({ status: 200, refusal: undefined });
    expect((await journey().operator('DELETE', `/v1/tenants/${shared.id}/limits/tenant-bucket`)).status).toBeLessThan(300);
    await eventually(async () => expect((await journey().call(shared, 'whose.key.shared')).headers.get('ratelimit-policy')).toContain('"tenant-bucket";q=300'));
  });

  it("keeps a snapshot of the user in the caller's schema, and in no other's", async () => {
    const [shared, hybrid] = [journey().of('shared'), journey().of('hybrid')];
    const secUid = secUids.get('shared') ?? '';
    const own = await eventually(async () => {
      const answer = await journey().as(shared, 'GET', `/v1/tenants/${shared.id}/snapshots/users/${secUid}`);
      expect(answer.status).toBe(200);
      return answer;
    });
    expect(JSON.stringify(own.body)).toContain('whose.key.shared');
    expect((await journey().as(hybrid, 'GET', `/v1/tenants/${hybrid.id}/snapshots/users/${secUid}`)).status).toBe(404);
    expect((await journey().as(hybrid, 'GET', `/v1/tenants/${shared.id}/snapshots/users/${secUid}`)).status).toBe(404);
  });

  it('carries out a bulk fetch that it has quoted, hands out its results as NDJSON, and forgets a person for good (A4)', async () => {
    const shared = journey().of('shared');
    const [path, body] = [`/v1/tenants/${shared.id}`, { endpoint: 'userinfo-by-username', targets: ['anna', 'ben', 'cleo'] }];
    const quote = await journey().as(shared, 'POST', `${path}/fetch-jobs/quote`, { body });
    expect([quote.status, quote.body]).toEqual([200, expect.objectContaining({ items: 3, credits: { expected: 3, atMost: 3 }, key: 'platform' })]);
    const made = await journey().as(shared, 'POST', `${path}/fetch-jobs`, { body });
    expect(made.status).toBe(201);
    await eventually(async () => {
      const job = await journey().as(shared, 'GET', `${path}/fetch-jobs/${made.body.id}`);
      expect(job.body).toMatchObject({ status: 'finished', items: { succeeded: 3, failed: 0 }, credits: { charged: 3 } });
    }, 20_000);
    const results = async () => (await journey().as(shared, 'GET', `${path}/fetch-jobs/${made.body.id}/results`)).text.trim().split('\n').map((line) => JSON.parse(line) as { params: { username?: string }; error: string | null });
    expect((await results()).map(({ params }) => params.username)).toEqual(body.targets);

    const erasure = await journey().as(shared, 'POST', `${path}/subjects/erase`, { body: { subjects: [{ username: 'Anna' }] } });
    expect(erasure.status).toBe(202);
    await eventually(async () => {
      const receipt = await journey().as(shared, 'GET', `${path}/erasure-receipts/${erasure.body.id}`);
      expect(receipt.body).toMatchObject({ status: 'done', reports: [{ service: 'upstream-fetcher', report: { jobResults: 1, suppressed: 3 } }] });
    }, 20_000);
    expect((await results()).map(({ error }) => error)).toEqual(['subject-erased', null, null]);
    await eventually(async () => expect((await journey().call(shared, 'anna')).body.code).toBe('subject-erased'));
  });

  it('G1 shows one tenant nothing of another: its ids are not found', async () => {
    const [shared, byo] = [journey().of('shared'), journey().of('byo')];
    for (const path of ['', '/tokens', '/upstream-keys', '/limits', '/usage', '/quota', '/invoices/preview', '/fetch-jobs', '/snapshots/users/anna', '/events', '/members', '/isolation']) {
      const { status, body } = await journey().as(byo, 'GET', `/v1/tenants/${shared.id}${path}`);
      expect({ path, status, code: body?.code }).toEqual({ path, status: 404, code: 'not-found' });
    }
  });

  it("switches the hybrid tenant over to its own key once that is active, without a failed call", async () => {
    const hybrid = journey().of('hybrid');
    await journey().registerOwnKey('hybrid');
    await eventually(async () => {
      const answer = await journey().call(hybrid, 'switched', { headers: { 'weir-max-age': '0' } });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('weir-key')).toBe('own');
    });
  });

  it('counts every credit once: both equations hold against the upstream’s own ledger, and the invoice agrees', async () => {
    await eventually(() => journey().bothEquationsHold(), 10_000);
    const shared = journey().of('shared');
    const answer = await journey().call(shared, 'why.was.i.charged');
    expect(answer.status).toBe(200);
    const why = await eventually(async () => {
      const found = await journey().as(shared, 'GET', `/v1/tenants/${shared.id}/calls/${answer.headers.get('weir-request-id')}`);
      expect(found.status).toBe(200);
      return found;
      // where metering was killed, its partitions are somebody's again when the dead one's session has ended
    }, 20_000);
    expect(JSON.stringify(why.body)).toContain('userinfo-by-username');
  });

  it('tells whose fault it is: a wrong parameter, an unknown endpoint, no token', async () => {
    const shared = journey().of('shared');
    const answers = await Promise.all([
      journey().as(shared, 'GET', '/tiklive/userinfo-by-username/?username=a%20b'),
      journey().as(shared, 'GET', '/tiklive/userinfo-by-username/?name=x'),
      journey().as(shared, 'GET', '/tiklive/no-such-thing/'),
      journey().anyone('GET', '/tiklive/userid/?username=x'),
    ]);
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
      [400, 'invalid-parameter'],
      [400, 'invalid-parameter'],
      [404, 'unknown-endpoint'],
      [401, 'unauthenticated'],
    ]);
    for (const { headers, body } of answers) {
      expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
      expect(body.requestId).toBe(headers.get('weir-request-id'));
    }
  });

  it('lists the events of a tenant in order, and their chain verifies', async () => {
    const hybrid = journey().of('hybrid');
    const { status, body } = await journey().as(hybrid, 'GET', `/v1/tenants/${hybrid.id}/events?limit=200`);
    expect(status).toBe(200);
    expect(body.data.map(({ position }: { position: number }) => position)).toEqual(body.data.map((_: unknown, index: number) => index + 1));
    const types = body.data.map(({ type }: { type: string }) => type);
    expect(types.slice(0, 2)).toEqual(['tenant.registered', 'project.created']);
    expect(types).toEqual(expect.arrayContaining(['api-token.issued', 'upstream-key.registered', 'upstream-key.version-activated']));
    const searched = await journey().as(hybrid, 'GET', `/v1/tenants/${hybrid.id}/events?type=upstream-key.version-activated&from=2026-01-01T00:00:00Z`);
    expect(searched.body.data).toEqual(body.data.filter(({ type }: { type: string }) => type === 'upstream-key.version-activated'));
    const verified = await journey().as(hybrid, 'POST', `/v1/tenants/${hybrid.id}/audit/verify`);
    expect(verified.body).toMatchObject({ result: 'intact', firstBreak: null });
    expect(verified.body.events).toBeGreaterThanOrEqual(body.data.length);
  });

  it('refuses a suspended tenant within 5 s, and serves it again once it is resumed', async () => {
    const byo = journey().of('byo');
    expect((await journey().operator('POST', `/v1/tenants/${byo.id}/suspend`)).status).toBe(200);
    const refused = await eventually(async () => {
      const answer = await journey().call(byo, 'suspended');
      expect(answer.status).toBe(403);
      return answer;
    }, 5_000);
    expect(refused.body.code).toBe('tenant-suspended');
    await journey().operator('POST', `/v1/tenants/${byo.id}/resume`);
    await eventually(async () => expect((await journey().call(byo, 'resumed')).status).toBe(200));
  });

  it('G6 refuses a revoked token within 5 s, whichever replica is asked', async () => {
    const shared = journey().of('shared');
    const { body } = await journey().operator('POST', `/v1/tenants/${shared.id}/tokens`, { body: { role: 'member', label: 'short' } });
    const short = { id: shared.id, token: body.token as string };
    await eventually(async () => expect((await journey().call(short, 'whose.key.shared')).status).toBe(200));
    expect((await journey().operator('DELETE', `/v1/tenants/${shared.id}/tokens/${body.id}`)).status).toBe(204);
    // the edge gives each replica its turn
    const inTurn = async () => {
      for (let n = 0; n < 6; n++) expect((await journey().call(short, 'whose.key.shared')).status).toBe(401);
    };
    await eventually(inTurn, 5_000);
    await inTurn();
  });

  it('describes itself: one OpenAPI 3.1 document with the routes of every service', async () => {
    const { status, body } = await journey().anyone('GET', '/v1/openapi.json');
    expect({ status, version: body?.openapi }).toEqual({ status: 200, version: '3.1.0' });
    expect(Object.keys(body.paths)).toEqual(
      expect.arrayContaining(['/v1/tenants', '/v1/tenants/{t}/upstream-keys', '/v1/tenants/{t}/limits', '/v1/tenants/{t}/usage', '/v1/tenants/{t}/events', '/tiklive/userinfo-by-username/']),
    );
  });
}

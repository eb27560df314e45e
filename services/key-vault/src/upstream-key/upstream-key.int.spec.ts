import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TOPICS } from '@weir/contracts';
import { eventLog } from '@weir/event-store';
import { fact, type TenantId } from '@weir/kernel';
import { createPool, unitOfWork } from '@weir/tenancy';
import { tiklive } from '@weir/upstream-catalog';
import { createEnvelope, fileShredKeys, localKeyEncryption, openUpstreamKey, shreddable } from '@weir/envelope';
import { freshDatabase, type TestDatabase } from '@weir/testing';
import { startSimulator, type NewFault, type Key, type Simulator } from '@weir/tiklive-simulator';
import { Client } from 'pg';
import { newSecret, secrets, stateOf, until, usageOf } from '../testing/observations';
import { startVault, type RunningVault } from '../testing/running-vault';

let database: TestDatabase;
let admin: Client;
let simulator: Simulator;
let vault: RunningVault;
const dataDir = mkdtempSync(join(tmpdir(), 'weir-vault-'));

beforeAll(async () => {
  database = await freshDatabase();
  admin = new Client({ connectionString: database.adminUrl });
  await admin.connect();
  simulator = await startSimulator();
  vault = await startVault({ database, upstreamUrl: simulator.url, dataDir });
}, 60_000);
afterAll(async () => {
  await vault.stop();
  await simulator.close();
  await admin.end();
  await database.drop();
  rmSync(dataDir, { recursive: true });
});

/** A secret that the upstream knows. */
function known(options: Partial<Key> = {}): string {
  const key = newSecret();
  simulator.keys.set({ key, credits: null, perMinute: null, burst: 50, scopes: ['download'], suspended: false, ...options });
  return key;
}
async function registered(key: string, owner?: { id: string; token: string }) {
  const { id, token } = owner ?? (await vault.newTenant());
  const as = { authorization: `Bearer ${token}` };
  const path = `/v1/tenants/${id}/upstream-keys`;
  const answer = await vault.request('POST', path, { key, label: 'main' }, as);
  return { tenant: id, as, answer, path: `${path}/${answer.body.id}`, id: answer.body.id as string };
}
const check = (answer: { body: { lastCheck: { checks: { name: string }[] } } }, name: string) =>
  answer.body.lastCheck.checks.find((one) => one.name === name);
const sealedVersions = async (keyId: string): Promise<number[]> => {
  const { rows } = await admin.query<{ schema: string }>(`select schema_name as schema from weir.placements`);
  const versions: number[] = [];
  for (const { schema } of rows) {
    const found = await admin.query<{ version: number }>(
      `select version from ${schema}.upstream_key_blobs where key_id = $1 order by 1`,
      [keyId],
    );
    versions.push(...found.rows.map((row) => row.version));
  }
  return versions;
};

describe('handing in a key', () => {
  it('tries it, makes it usable, and says so on the topic in a form that opens to the same secret', async () => {
    const key = known();
    const { answer, id } = await registered(key);

    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({
      label: 'main',
      state: 'usable',
      activeVersion: 1,
      last4: key.slice(-4),
      scopes: ['download'],
      lastCheck: { outcome: 'accepted' },
    });
    expect(answer.headers.get('etag')).toBe(`"${answer.body.version}"`);
    expect(answer.headers.get('location')).toMatch(id);
    for (const name of ['upstream-reached', 'key-known', 'credits-left', 'within-rate', 'scope-download'])
      expect(check(answer, name)).toMatchObject({ result: 'passed' });

    await until(async () => (await stateOf(vault, id))?.active === 1);
    const state = await stateOf(vault, id);
    const envelope = createEnvelope({
      keyEncryption: shreddable(
        localKeyEncryption({ keyFile: join(dataDir, 'key-encryption.key') }),
        fileShredKeys({ directory: join(dataDir, 'shred-keys') }),
      ),
      dataKeys: { maxEntries: 1, maxAgeMs: 1_000, maxUses: 10 },
    });
    expect((await openUpstreamKey(envelope, state!, state!.versions[0]!)).toString()).toBe(key);
    envelope.close();
  });

  it('says how many credits are left against the floor, and which ceiling the rate has', async () => {
    const few = (await registered(known({ credits: 40 }))).answer;
    expect(few.body).toMatchObject({ state: 'usable' });
    expect(check(few, 'credit-floor')).toMatchObject({
      result: 'failed',
      evidence: expect.stringMatching(/3\d credits/),
      nextStep: expect.stringContaining('Buy credits'),
    });
    const { answer } = await registered(known({ credits: 5_000 }));
    expect(check(answer, 'credit-floor')).toMatchObject({ result: 'passed' });
    expect(check(answer, 'rate-ceiling')).toMatchObject({
      result: 'passed',
      evidence: expect.stringContaining(`${tiklive.keyRate.perMinute} calls a minute`),
      nextStep: expect.stringContaining('upstream-key'),
    });
  });

  it('answers one that the upstream does not know with the 401 and what to do, and throws the secret away', async () => {
    const { answer, id, path, as } = await registered(newSecret());

    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({
      state: 'invalid',
      activeVersion: null,
      versions: [{ state: 'rejected', because: 'unauthorized' }],
      lastCheck: { outcome: 'unauthorized' },
    });
    for (const [name, result] of Object.entries({ 'scope-download': 'unknown', 'credit-floor': 'unknown', 'rate-ceiling': 'passed' })) expect(check(answer, name)).toMatchObject({ result });
    expect(check(answer, 'key-known')).toMatchObject({
      result: 'failed',
      evidence: expect.stringContaining('answered 401'),
      nextStep: expect.stringContaining('Copy it again'),
    });
    expect(await sealedVersions(id)).toEqual([]);
    expect((await vault.request('POST', `${path}/check`, undefined, as)).body).toMatchObject({
      status: 409,
      code: 'upstream-key-rejected',
    });
  });

  it('tells a right key without credits from a wrong one, and takes it once somebody has bought some', async () => {
    const key = known({ credits: 0 });
    const { answer, path, as } = await registered(key);
    expect(answer.body).toMatchObject({ state: 'depleted', lastCheck: { outcome: 'out-of-credits' } });
    expect(check(answer, 'key-known')).toMatchObject({ result: 'passed' });
    expect(check(answer, 'credits-left')).toMatchObject({ result: 'failed', nextStep: expect.stringContaining('Buy credits') });

    simulator.keys.set({ ...simulator.keys.find(key)!, credits: 10 });
    expect((await vault.request('POST', `${path}/check`, undefined, as)).body).toMatchObject({
      state: 'usable',
      activeVersion: 2,
      last4: key.slice(-4),
    });
  });

  const passing: [string, NewFault, string, string][] = [
    ["the upstream's own limit", { kind: '429' }, 'rate-limited', 'answered 429'],
    ['an upstream that breaks', { kind: '503' }, 'unreachable', 'answered 503'],
    ['a line that is cut', { kind: 'cut' }, 'unreachable', 'had no answer'],
    ['an answer that is no answer', { kind: 'html' }, 'unreachable', 'not in JSON'],
  ];
  it.each(passing)(
    'blames no key for %s: it says so and tries the same secret again when asked',
    async (_, fault, outcome, evidence) => {
      const key = known();
      simulator.faults.add({ ...fault, key, times: 1 } as NewFault);
      const { answer, path, as } = await registered(key);
      expect(answer.body).toMatchObject({ state: 'invalid', lastCheck: { outcome } });
      expect(JSON.stringify(answer.body.lastCheck.checks)).toContain(evidence);

      expect((await vault.request('POST', `${path}/check`, undefined, as)).body).toMatchObject({
        state: 'usable',
        activeVersion: 2,
      });
    },
  );

  it('says which calls fail with a key that may not download', async () => {
    const { answer } = await registered(known({ scopes: [] }));
    expect(answer.body).toMatchObject({ state: 'usable', scopes: [] });
    expect(check(answer, 'scope-download')).toMatchObject({
      result: 'failed',
      nextStep: expect.stringContaining("need 'download'"),
    });
  });

  it.each([
    ['too short', 'abc'],
    ['too long', 'k'.repeat(513)],
    ['with a line end', 'upstream-key-1\n'],
    ['with a control character', 'upstream-\u0000key'],
    ['with a letter that no header carries', 'upstream-kéy'],
  ])('refuses a key that is %s, without repeating it', async (_, key) => {
    const answer = await vault.request('POST', '/v1/upstream-keys', { key });
    expect(answer.body).toMatchObject({ status: 400, code: 'invalid-request' });
    expect(answer.text).not.toContain(key);
  });

  it('refuses a label that repeats the key: labels stand in events', async () => {
    const key = newSecret();
    expect((await vault.request('POST', '/v1/upstream-keys', { key, label: `my ${key}` })).status).toBe(400);
  });

  it('G7 with one Idempotency-Key sent 50 times at once registers and tries one key', async () => {
    const { id, token } = await vault.newTenant();
    const key = known();
    const headers = { authorization: `Bearer ${token}`, 'idempotency-key': 'once' };
    const send = (body: unknown) => vault.request('POST', `/v1/tenants/${id}/upstream-keys`, body, headers);
    const answers = await Promise.all(Array.from({ length: 50 }, () => send({ key })));

    expect(new Set(answers.map((answer) => `${answer.status} ${answer.body.id}`)).size).toBe(1);
    expect((await vault.request('GET', `/v1/tenants/${id}/upstream-keys`, undefined, headers)).body.data).toHaveLength(1);
    expect(simulator.ledger.page({ key, limit: 100 }).data.map(({ endpoint }) => endpoint).sort()).toEqual(['balance', 'post-detail', 'userid']);
    expect((await send({ key: known() })).body).toMatchObject({ status: 422, code: 'idempotency-key-reused' });
  });
});

describe('a key and its callers', () => {
  it("G1 is not found by another tenant, G2 and the platform's keys are the operator's alone", async () => {
    const { path } = await registered(known());
    const other = await vault.newTenant();
    const as = { authorization: `Bearer ${other.token}` };
    expect((await vault.request('GET', path, undefined, as)).body).toMatchObject({ status: 404, code: 'not-found' });
    expect((await vault.request('GET', path.replace(/ten_\w+/, other.id), undefined, as)).body).toMatchObject({
      status: 404,
      code: 'not-found',
    });
    expect((await vault.request('GET', '/v1/upstream-keys', undefined, as)).status).toBe(403);
  });

  it('G3 takes no member that it does not know', async () => {
    expect((await vault.request('POST', '/v1/upstream-keys', { key: newSecret(), weight: 9, tenant_id: 'ten_x' })).status).toBe(
      400,
    );
  });

  it('are listed page by page, without secrets, and gone from the list once removed', async () => {
    const { id, token } = await vault.newTenant();
    const as = { authorization: `Bearer ${token}` };
    const path = `/v1/tenants/${id}/upstream-keys`;
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push((await vault.request('POST', path, { key: known(), label: `k${i}` }, as)).body.id);

    const first = await vault.request('GET', `${path}?limit=2`, undefined, as);
    const second = await vault.request('GET', `${path}?limit=2&cursor=${first.body.nextCursor}`, undefined, as);
    expect([...first.body.data, ...second.body.data].map((key: { id: string }) => key.id)).toEqual(ids);
    expect(second.body.nextCursor).toBeNull();

    expect((await vault.request('DELETE', `${path}/${ids[1]}`, undefined, as)).status).toBe(204);
    expect((await vault.request('DELETE', `${path}/${ids[1]}`, undefined, as)).status).toBe(204);
    expect((await vault.request('GET', `${path}/${ids[1]}`, undefined, as)).status).toBe(404);
    expect((await vault.request('GET', path, undefined, as)).body.data).toHaveLength(2);
    expect(await sealedVersions(ids[1]!)).toEqual([]);
    await until(async () =>
      (await vault.records('weir.upstream-key.state')).some((record) => record.key === ids[1] && record.value === null),
    );
  });

  it('are read from a snapshot once their streams are long, to the same state', async () => {
    const { tenant, path, as, id } = await registered(known());
    const pool = createPool({ url: database.urlOf('key-vault'), name: 'spec', max: 1 });
    const log = eventLog(unitOfWork(pool, 'key-vault'));
    const looks = Array.from({ length: 120 }, (_, n) => fact('upstream-key.checked', { keyId: id, version: 1, at: 1_000 + n, outcome: 'accepted', checks: [] }));
    const context = { actor: { type: 'service', id: 'spec' }, commandId: 'looks', at: Date.now(), action: 'spec' } as const;
    const { version } = (await log.append({ tenant: tenant as TenantId, stream: `upstream-key/${id}`, expected: 'exists', events: looks, context })) as { version: number };
    const [before, after] = [await vault.request('GET', path, undefined, as), await vault.request('GET', path, undefined, as)];
    expect([after.status, after.body]).toEqual([200, before.body]);
    const kept = await admin.query(`select version, reducer from t_${tenant.slice(4)}.log_snapshots`);
    expect(kept.rows).toEqual([{ version, reducer: 'upstream-key/2' }]);
    await pool.end();
  });

  it('refuses a change of another version than If-Match names', async () => {
    const { path, as, answer } = await registered(known());
    const stale = await vault.request('POST', `${path}/versions`, { key: known() }, { ...as, 'if-match': '"1"' });
    expect(stale.body).toMatchObject({ status: 412, code: 'version-conflict', actual: answer.body.version });
    const right = await vault.request(
      'POST',
      `${path}/versions`,
      { key: known() },
      { ...as, 'if-match': `"${answer.body.version}"` },
    );
    expect(right.body).toMatchObject({ activeVersion: 2 });
  });

  it("quarantines one of the platform's keys until the operator reinstates it", async () => {
    const { body } = await vault.request('POST', '/v1/upstream-keys', { key: known(), label: 'pool 1' });
    const path = `/v1/upstream-keys/${body.id}`;
    expect((await vault.request('POST', `${path}/quarantine`, { because: 'leaked' })).body.state).toBe('quarantined');
    await until(async () => (await stateOf(vault, body.id))?.status === 'quarantined');
    expect((await vault.request('POST', `${path}/check`)).body.state).toBe('quarantined');
    expect((await vault.request('POST', `${path}/reinstate`)).body.state).toBe('usable');
    expect((await vault.request('GET', '/v1/upstream-keys')).body.data.map((key: { id: string }) => key.id)).toContain(body.id);
    await until(async () => (await stateOf(vault, body.id))?.owner === 'ten_platform');
  });
});

describe('the account of test calls', () => {
  it('holds each before it leaves and settles it with what the upstream took, free of charge', async () => {
    const key = known();
    const { id, tenant } = await registered(key);
    const records = await usageOf(vault, id);
    expect(records.map(({ kind, attempt, endpoint }) => [kind, attempt, endpoint])).toEqual([
      ['held', 1, 'userid'],
      ['settled', 1, 'userid'],
      ['held', 2, 'post-detail'],
      ['settled', 2, 'post-detail'],
    ]);
    for (const record of records)
      expect(record).toMatchObject({
        tenantId: tenant,
        purpose: 'validation',
        chargedCredits: 0,
        keyMode: 'byo',
        keyOwner: 'own',
        keyVersion: 1,
      });
    const settled = records.filter((record) => record.kind === 'settled');
    for (const record of settled) expect(record).toMatchObject({ upstreamStatus: 200, difference: 'validation' });

    const whole = simulator.ledger.page({ key, limit: 10 }).data;
    // what is left is asked for without an attempt: the upstream takes nothing for it
    expect(whole.filter(({ endpoint }) => endpoint === 'balance')).toMatchObject([{ credits: 0 }]);
    const ledger = whole.filter(({ endpoint }) => endpoint !== 'balance');
    expect(ledger.map(({ requestId, attempt, credits }) => [requestId, attempt, credits])).toEqual(
      settled.map(({ requestId, attempt, upstreamCredits }) => [requestId, attempt, upstreamCredits]),
    );
  });

  it('keeps the hold of a call whose fate nobody knows, and claims no settlement', async () => {
    const key = known();
    simulator.faults.add({ kind: 'cut', key, times: 1 });
    const { id } = await registered(key);
    expect((await usageOf(vault, id)).map(({ kind }) => kind)).toEqual(['held']);
  });

  it('releases the hold of a call that was never sent', async () => {
    const nowhere = await startVault({ database, upstreamUrl: 'http://127.0.0.1:9', dataDir });
    const { body } = await nowhere.request('POST', '/v1/upstream-keys', { key: newSecret() });
    await nowhere.stop();
    expect(body).toMatchObject({ state: 'invalid', lastCheck: { outcome: 'unreachable' } });
    expect(body.lastCheck.checks[0].evidence).toContain('was not sent');
    expect((await usageOf(vault, body.id)).map(({ kind, upstreamCredits }) => [kind, upstreamCredits])).toEqual([
      ['held', 1],
      ['released', 0],
    ]);
  });

  it('makes no call that it cannot account for: 503, and the key waits to be checked', async () => {
    const key = known();
    const tenant = await vault.newTenant();
    await admin.query('revoke insert on weir_bus.records from weir_service');
    const { answer, path, as } = await registered(key, tenant).finally(() =>
      admin.query('grant insert on weir_bus.records to weir_service'),
    );
    expect(answer.body).toMatchObject({ status: 503, code: 'not-accountable', keyId: expect.stringMatching(/^key_/) });
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(simulator.ledger.totals(key)).toEqual([]);

    const checked = await vault.request('POST', `${path.replace('undefined', answer.body.keyId)}/check`, undefined, as);
    expect(checked.body).toMatchObject({ state: 'usable', activeVersion: 1 });
  });
});

it('G12 no secret is in a log line, an answer, a record of any topic or a table', async () => {
  const seen = [vault.logged(), vault.answered()];
  for (const { name } of TOPICS)
    for (const { key, value, headers } of await vault.records(name))
      seen.push(`${key}${JSON.stringify(headers)}${value?.toString('latin1')}`);
  const { rows } = await admin.query<{ relation: string }>(
    `select format('%I.%I', n.nspname, c.relname) as relation from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`,
  );
  for (const { relation } of rows)
    seen.push(...(await admin.query<{ t: string }>(`select t::text as t from ${relation} t`)).rows.map((row) => row.t));
  const everything = seen.join('\n');

  expect(everything).toContain(`"last4":"${secrets.at(-1)?.slice(-4)}"`);
  expect(secrets.length).toBeGreaterThan(15);
  for (const secret of secrets) {
    const bytes = Buffer.from(secret);
    for (const form of [secret, bytes.toString('hex'), bytes.toString('base64').slice(0, -4)])
      expect(everything.includes(form)).toBe(false);
  }
});

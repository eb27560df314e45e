import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SIGNAL_TOPIC, type UpstreamSignal } from '@weir/contracts';
import { newUuid, sleep, type KeyId, type TenantId } from '@weir/kernel';
import { freshDatabase, type TestDatabase } from '@weir/testing';
import { startSimulator, type Key, type Simulator } from '@weir/tiklive-simulator';
import { Client } from 'pg';
import { newSecret, stateOf, until } from '../testing/observations';
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
  vault = await startVault({ database, upstreamUrl: simulator.url, dataDir, environment: { WEIR_KEY_RECHECK_MS: '300', WEIR_KEY_CONFIRM_AFTER_MS: '400' } });
}, 60_000);
afterAll(async () => {
  await vault.stop();
  await simulator.close();
  await admin.end();
  await database.drop();
  rmSync(dataDir, { recursive: true });
});

async function registered(options: Partial<Key> = {}) {
  const secret = newSecret();
  simulator.keys.set({
    key: secret,
    credits: null,
    perMinute: null,
    burst: 50,
    scopes: ['download'],
    suspended: false,
    ...options,
  });
  const { id: tenant } = await vault.newTenant();
  const path = `/v1/tenants/${tenant}/upstream-keys`;
  const { body } = await vault.request('POST', path, { key: secret });
  return { secret, tenant, keyId: body.id as KeyId, path: `${path}/${body.id}` };
}

const signalOf = (
  of: { tenant: TenantId; keyId: KeyId },
  signal: UpstreamSignal['signal'],
  more: Partial<UpstreamSignal> = {},
): UpstreamSignal => ({
  eventId: newUuid(),
  keyId: of.keyId,
  keyVersion: 1,
  owner: of.tenant,
  tenantId: of.tenant,
  signal,
  endpoint: 'userid',
  retryAfterMs: null,
  requestId: 'req_spec',
  at: Date.now(),
  ...more,
});
const send = (...signals: UpstreamSignal[]) =>
  vault.bus.publish(
    signals.map((signal) => ({
      topic: SIGNAL_TOPIC,
      key: signal.keyId,
      value: Buffer.from(JSON.stringify(signal)),
      headers: { 'content-type': 'application/json' },
    })),
  );
const judged = async (signal: UpstreamSignal) =>
  (await admin.query('select 1 from weir_key_vault.signal_inbox where event_id = $1', [signal.eventId])).rows.length === 1;
const testCalls = (secret: string) =>
  simulator.ledger.page({ key: secret, limit: 1_000 }).data.filter(({ endpoint }) => endpoint === 'userid').length;
const view = async (path: string) => (await vault.request('GET', path)).body;

it('F1 one 401 is no verdict: a key that the test call finds right stays usable', async () => {
  const key = await registered();
  // on a busy machine the job that looks after candidates may have been quicker than the registration itself
  const before = testCalls(key.secret);
  const signal = signalOf(key, 'unauthorized');
  await send(signal);
  await until(() => judged(signal));
  expect(await view(key.path)).toMatchObject({ state: 'usable', lastCheck: { outcome: 'accepted' } });
  expect(testCalls(key.secret)).toBe(before + 1);
});

it('F1 two refused test calls make a key invalid, and of a storm of 401s only the first asks for them', async () => {
  const key = await registered();
  const before = testCalls(key.secret);
  simulator.keys.set({ ...simulator.keys.find(key.secret)!, suspended: true });
  const storm = Array.from({ length: 20 }, () => signalOf(key, 'unauthorized'));
  await send(...storm);
  await until(() => judged(storm.at(-1)!));
  expect(await view(key.path)).toMatchObject({ state: 'invalid', lastCheck: { outcome: 'unauthorized' } });
  expect(testCalls(key.secret)).toBe(before + 2);
  await until(async () => (await stateOf(vault, key.keyId))?.status === 'invalid');
});

describe('F2 401s over the keys of many tenants at once', () => {
  const suspendAll = (secrets: readonly string[], suspended: boolean) => {
    for (const secret of secrets) simulator.keys.set({ ...simulator.keys.find(secret)!, suspended });
  };
  async function refusedAtOnce(platform: boolean) {
    const keys = [];
    for (let i = 0; i < 6; i++) keys.push(await registered());
    const witness = newSecret();
    simulator.keys.set({ key: witness, credits: null, perMinute: null, burst: 500, scopes: [], suspended: false });
    const { body } = await vault.request('POST', '/v1/upstream-keys', { key: witness });
    suspendAll([...keys.map(({ secret }) => secret), ...(platform ? [witness] : [])], true);
    const signals = keys.map((key) => signalOf(key, 'unauthorized'));
    await send(...signals);
    for (const signal of signals) await until(() => judged(signal));
    const states = await Promise.all(keys.map(async ({ path }) => (await view(path)).state as string));
    suspendAll(keys.map(({ secret }) => secret), false);
    await vault.request('DELETE', `/v1/upstream-keys/${body.id}`);
    return states;
  }
  const forget = () => admin.query('delete from weir_key_vault.refused_keys');
  afterAll(forget);
  beforeEach(async () => {
    await forget();
    // what the witness said is believed for a second
    await sleep(1_100);
  });

  it("are the upstream's trouble where it refuses the platform's key too: no mass invalidation", async () => {
    const states = await refusedAtOnce(true);
    expect(states).toEqual(Array(6).fill('usable'));
    expect(vault.logged()).toContain('taken for its own trouble');
  });

  it("are verdicts where the platform's key is accepted in the same moment", async () => {
    expect(await refusedAtOnce(false)).toEqual(Array(6).fill('invalid'));
  });
});

it('F3 a key without credits is depleted, looked at again by itself, and usable once it has some', async () => {
  const key = await registered({ credits: 2 });
  const signal = signalOf(key, 'depleted');
  await send(signal);
  await until(() => judged(signal));
  expect(await view(key.path)).toMatchObject({ state: 'depleted' });
  await until(() => testCalls(key.secret) >= 2);
  expect(await view(key.path)).toMatchObject({ state: 'depleted' });

  simulator.keys.set({ ...simulator.keys.find(key.secret)!, credits: 100 });
  await until(async () => (await view(key.path)).state === 'usable');
});

it('a key that works is looked at once a day without anyone asking; one that has gone bad since is found', async () => {
  const key = await registered();
  const { rows } = await admin.query('select due_at - now() as wait, tries from weir_key_vault.key_rechecks where key_id = $1', [key.keyId]);
  expect(rows).toMatchObject([{ wait: { hours: 23 }, tries: 0 }]);
  const due = () => admin.query('update weir_key_vault.key_rechecks set due_at = now() where key_id = $1', [key.keyId]);
  // said again until it is heard: the look before may be about to set the next one a day away
  const looked = (calls: number) =>
    until(async () => {
      if (testCalls(key.secret) < calls) await due();
      return testCalls(key.secret) >= calls;
    });
  await looked(2);
  expect(await view(key.path)).toMatchObject({ state: 'usable' });
  simulator.keys.set({ ...simulator.keys.find(key.secret)!, suspended: true });
  for (const calls of [3, 4]) {
    await looked(calls);
    await until(async () => (await view(key.path)).lastCheck.outcome === 'unauthorized');
  }
  await until(async () => (await view(key.path)).state === 'invalid');
});

it('a depleted key is usable again at once when a caller was served with it', async () => {
  const key = await registered({ credits: 2 });
  await send(signalOf(key, 'depleted'), signalOf(key, 'accepted'));
  await until(async () => (await view(key.path)).state === 'usable');
});

it('a signal that comes again, or that speaks of another version, changes nothing', async () => {
  const key = await registered();
  const [first, second] = [signalOf(key, 'depleted'), signalOf(key, 'depleted')];
  // the second is without consequence: the key is depleted already
  await send(first, second, signalOf(key, 'accepted'));
  await until(async () => (await judged(second)) && (await view(key.path)).state === 'usable');
  const other = signalOf(key, 'depleted', { keyVersion: 2 });
  await send(first, second, other);
  await until(() => judged(other));
  expect(await view(key.path)).toMatchObject({ state: 'usable' });
});

it('a key whose first test call could not be accounted for is tried later without anyone asking', async () => {
  const secret = newSecret();
  simulator.keys.set({ key: secret, credits: null, perMinute: null, burst: 50, scopes: [], suspended: false });
  await admin.query('revoke insert on weir_bus.records from weir_service');
  const { body } = await vault
    .request('POST', '/v1/upstream-keys', { key: secret })
    .finally(() => admin.query('grant insert on weir_bus.records to weir_service'));
  expect(body).toMatchObject({ status: 503, code: 'not-accountable' });
  await until(async () => (await view(`/v1/upstream-keys/${body.keyId}`)).state === 'usable');
});

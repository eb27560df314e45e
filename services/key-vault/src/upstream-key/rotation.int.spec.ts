import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StateTable } from '@weir/access';
import { upstreamKeyState } from '@weir/contracts';
import { createEnvelope, fileShredKeys, localKeyEncryption, openUpstreamKey, shreddable, type Envelope } from '@weir/envelope';
import { schemaOf } from '@weir/tenancy';
import { freshDatabase, type TestDatabase } from '@weir/testing';
import { startSimulator, type Key, type Simulator } from '@weir/tiklive-simulator';
import { Client } from 'pg';
import { newSecret, stateOf, until } from '../testing/observations';
import { startVault, type RunningVault } from '../testing/running-vault';

const DRAIN_MS = 3_000;

let database: TestDatabase;
let admin: Client;
let simulator: Simulator;
let vault: RunningVault;
let envelope: Envelope;
const dataDir = mkdtempSync(join(tmpdir(), 'weir-vault-'));

beforeAll(async () => {
  database = await freshDatabase();
  admin = new Client({ connectionString: database.adminUrl });
  await admin.connect();
  simulator = await startSimulator();
  vault = await startVault({
    database,
    upstreamUrl: simulator.url,
    dataDir,
    environment: { WEIR_KEY_DRAIN_MS: String(DRAIN_MS), WEIR_DATA_KEY_MAX_SEALS: '2' },
  });
  envelope = createEnvelope({
    keyEncryption: shreddable(localKeyEncryption({ keyFile: join(dataDir, 'key-encryption.key') }), fileShredKeys({ directory: join(dataDir, 'shred-keys') })),
    dataKeys: { maxEntries: 10, maxAgeMs: 60_000, maxUses: 10_000 },
  });
}, 60_000);
afterAll(async () => {
  envelope.close();
  await vault.stop();
  await simulator.close();
  await admin.end();
  await database.drop();
  rmSync(dataDir, { recursive: true });
});

function known(options: Partial<Key> = {}): string {
  const key = newSecret();
  simulator.keys.set({ key, credits: null, perMinute: null, burst: 500, scopes: ['download'], suspended: false, ...options });
  return key;
}

async function registered(key: string) {
  const tenant = await vault.newTenant();
  const keys = `/v1/tenants/${tenant.id}/upstream-keys`;
  const { body } = await vault.request('POST', keys, { key });
  await until(async () => (await stateOf(vault, body.id))?.active === 1);
  return { id: body.id as string, tenant: tenant.id, path: `${keys}/${body.id}` };
}

/** The table that a fetcher holds, fed by the topic. */
async function followStates() {
  const table = new StateTable(upstreamKeyState.topic, (json) => upstreamKeyState.schema.parse(json));
  const following = await vault.bus.follow({
    topics: [upstreamKeyState.topic],
    apply: (record) => table.apply(record, Date.now()),
  });
  await following.caughtUp();
  return { table, stop: () => following.stop() };
}

describe('rotation', () => {
  it('V5 with 200 calls in flight: the old ones finish on the old version, new ones use the new, none is refused', async () => {
    const [before, after] = [known(), known()];
    const { id, path } = await registered(before);
    const { table, stop } = await followStates();
    const slow = simulator.faults.add({ kind: 'slow', ms: 600, endpoint: 'userinfo-by-username' });

    const call = async (used: number[]): Promise<number> => {
      const state = table.get(id)!;
      const version = state.versions.find((one) => one.version === state.active)!;
      const secret = await openUpstreamKey(envelope, state, version);
      used.push(version.version);
      const answer = await fetch(`${simulator.url}/userinfo-by-username/?username=tiktok`, {
        headers: { 'x-api-key': secret.toString() },
      });
      await answer.arrayBuffer();
      return answer.status;
    };
    const [oldVersions, newVersions]: [number[], number[]] = [[], []];
    const inFlight = Array.from({ length: 200 }, () => call(oldVersions));
    const rotated = await vault.request('POST', `${path}/versions`, { key: after });
    expect(rotated.body).toMatchObject({
      activeVersion: 2,
      versions: [
        { version: 1, state: 'draining' },
        { version: 2, state: 'active' },
      ],
    });
    await until(() => table.get(id)?.active === 2);
    const later = Array.from({ length: 20 }, () => call(newVersions));

    expect(new Set(await Promise.all([...inFlight, ...later]))).toEqual(new Set([200]));
    expect(new Set(oldVersions)).toEqual(new Set([1]));
    expect(new Set(newVersions)).toEqual(new Set([2]));
    // whoever opens the old version now, such as a retry of a call in flight, still can
    const state = table.get(id)!;
    const draining = state.versions.find((one) => one.version === 1)!;
    expect(draining).toMatchObject({ state: 'draining', drainUntil: expect.any(Number) });
    expect((await openUpstreamKey(envelope, state, draining)).toString()).toBe(before);
    simulator.faults.remove(slow.id);
    await stop();
  });

  it('V5 a new key that fails validation changes nothing', async () => {
    const before = known();
    const { id, path } = await registered(before);
    const said = await stateOf(vault, id);
    const rotated = await vault.request('POST', `${path}/versions`, { key: newSecret() });
    expect(rotated.status).toBe(201);
    expect(rotated.body).toMatchObject({
      state: 'usable',
      activeVersion: 1,
      last4: before.slice(-4),
      lastCheck: { version: 2, outcome: 'unauthorized' },
    });
    await vault.request('POST', `${path}/check`);
    expect(await stateOf(vault, id)).toEqual(said);
  });

  it('destroys the old version at the end of its drain: on the topic, in the table, for good', async () => {
    const { id, tenant, path } = await registered(known());
    const at = Date.now();
    await vault.request('POST', `${path}/versions`, { key: known() });
    await until(async () => {
      const state = await stateOf(vault, id);
      return state?.active === 2 && state.versions.length === 1;
    });
    expect(Date.now() - at).toBeGreaterThanOrEqual(DRAIN_MS);
    const { rows } = await admin.query(`select version from ${schemaOf(tenant)}.upstream_key_blobs where key_id = $1`, [id]);
    expect(rows).toEqual([{ version: 2 }]);
    expect((await vault.request('GET', path)).body.versions).toMatchObject([
      { version: 1, state: 'destroyed' },
      { version: 2, state: 'active' },
    ]);
    expect((await admin.query('select 1 from weir_key_vault.key_drains where key_id = $1', [id])).rows).toEqual([]);
  });
});

describe('what is sealed', () => {
  it('V3 is sealed under a new data key once the old has sealed its number, and all stays readable', async () => {
    const { tenant, path } = await registered(known());
    for (let i = 0; i < 3; i++) await vault.request('POST', path.replace(/\/key_.*/, ''), { key: known() });
    const { rows } = await admin.query<{ seals: string }>(`select seals from ${schemaOf(tenant)}.data_keys order by version`);
    expect(rows.map(({ seals }) => Number(seals))).toEqual([2, 2]);
    const { body } = await vault.request('GET', path.replace(/\/key_.*/, ''));
    for (const { id } of body.data as { id: string }[]) {
      expect((await vault.request('POST', `${path.replace(/key_.*/, id)}/check`)).body).toMatchObject({
        state: 'usable',
        lastCheck: { outcome: 'accepted' },
      });
    }
  });

  it("V1 does not open in another tenant's row, not with the other's data key beside it either, and no call is made with it", async () => {
    const [a, b] = [await registered(known()), await registered(known())];
    const calls = simulator.ledger.page({ limit: 10_000 }).data.length;
    const rob = async (table: string, columns: string) =>
      admin.query(
        `update ${schemaOf(b.tenant)}.${table} as mine set (${columns}) = (select ${columns} from ${schemaOf(a.tenant)}.${table} limit 1)`,
      );

    await rob('upstream_key_blobs', 'data_key_version, sealed');
    const sealedAlone = await vault.request('POST', `${b.path}/check`);
    await rob('data_keys', 'kek_id, wrapped');
    const withDataKey = await vault.request('POST', `${b.path}/check`);

    for (const { body } of [sealedAlone, withDataKey]) expect(body).toMatchObject({ status: 500, code: 'unreadable-secret' });
    expect(simulator.ledger.page({ limit: 10_000 }).data).toHaveLength(calls);
    expect((await vault.request('POST', `${a.path}/check`)).body).toMatchObject({ state: 'usable' });
  });
});

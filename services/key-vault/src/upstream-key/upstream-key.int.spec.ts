import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { USAGE_TOPIC, eventsTopic, stateTopic, upstreamKeyState, usage, type Usage, type UpstreamKeyState } from '@weir/contracts';
import { createEnvelope, localKeyEncryption, openUpstreamKey } from '@weir/envelope';
import { freshDatabase, type TestDatabase } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { startVault, until, type RunningVault } from '../testing/running-vault';

let database: TestDatabase;
let simulator: Simulator;
let vault: RunningVault;
const dataDir = mkdtempSync(join(tmpdir(), 'weir-vault-'));

beforeAll(async () => {
  database = await freshDatabase();
  simulator = await startSimulator();
  vault = await startVault({ database, upstreamUrl: simulator.url, dataDir, environment: { WEIR_KEY_DRAIN_MS: '400', WEIR_KEY_RECHECK_MS: '100' } });
}, 60_000);
afterAll(async () => {
  await vault.stop();
  await simulator.close();
  await database.drop();
  rmSync(dataDir, { recursive: true });
});

let made = 0;
/** A secret that the simulator knows. */
function keyUpstream(options: { credits?: number | null; scopes?: 'download'[] } = {}): string {
  const key = `upstream-secret-${++made}-Zk9`;
  simulator.keys.set({ key, credits: null, perMinute: null, burst: 50, scopes: ['download'], suspended: false, ...options });
  return key;
}

const stateOf = async (keyId: string): Promise<UpstreamKeyState | undefined> => {
  const records = await vault.records(stateTopic('upstream-key'));
  const last = records.filter((record) => record.key === keyId).at(-1);
  return last?.value == null ? undefined : upstreamKeyState.schema.parse(JSON.parse(last.value.toString()));
};
const usageOf = async (keyId: string): Promise<Usage[]> =>
  (await vault.records(USAGE_TOPIC)).map(({ value }) => usage.schema.parse(JSON.parse(String(value)))).filter((one) => 'keyId' in one && one.keyId === keyId);
const check = (body: { lastCheck: { checks: { name: string; result: string; evidence: string; nextStep: string }[] } }, name: string) =>
  body.lastCheck.checks.find((one) => one.name === name);

describe('registering a key', () => {
  it('tries it, makes it usable, and says so on the topic in a form that opens to the same secret', async () => {
    const { id, token } = await vault.newTenant();
    const key = keyUpstream();
    const answer = await vault.request('POST', `/v1/tenants/${id}/upstream-keys`, { key, label: 'main' }, { authorization: `Bearer ${token}` });

    if (answer.status !== 201) console.log(vault.logged());
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ label: 'main', state: 'usable', activeVersion: 1, last4: '-Zk9', scopes: ['download'], lastCheck: { outcome: 'accepted' } });
    expect(check(answer.body, 'key-known')).toMatchObject({ result: 'passed' });
    await until(async () => (await stateOf(answer.body.id))?.active === 1);
    const state = await stateOf(answer.body.id);
    const envelope = createEnvelope({
      keyEncryption: localKeyEncryption({ keyFile: join(dataDir, 'key-encryption.key') }),
      dataKeys: { maxEntries: 1, maxAgeMs: 1_000, maxUses: 10 },
    });
    expect((await openUpstreamKey(envelope, state!, state!.versions[0]!)).toString()).toBe(key);
    envelope.close();
  });
});

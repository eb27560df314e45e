import { fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateKeyCommand, DisableKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { eventsTopic } from '@weir/contracts';
import { createEnvelope, fileShredKeys, localKeyEncryption, openUpstreamKey, shreddable } from '@weir/envelope';
import { PLATFORM, type TenantId } from '@weir/kernel';
import { schemaOf } from '@weir/tenancy';
import { freshDatabase, servers, type TestDatabase } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { Client } from 'pg';
import { newSecret, stateOf, until } from '../testing/observations';
import { startVault, type RunningVault } from '../testing/running-vault';
import { signedBy } from './report-signer';

let database: TestDatabase;
let admin: Client;
let simulator: Simulator;
let dataDir: string;
let keyFile: string;
const running: RunningVault[] = [];

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'weir-vault-'));
  keyFile = join(dataDir, 'key-encryption.key');
  database = await freshDatabase();
  admin = new Client({ connectionString: database.adminUrl });
  await admin.connect();
  simulator = await startSimulator();
}, 30_000);
afterEach(async () => {
  for (const vault of running.splice(0)) await vault.stop();
  await simulator.close();
  await admin.end();
  await database.drop();
  rmSync(dataDir, { recursive: true });
});

async function vaultWith(environment: Record<string, string> = {}): Promise<RunningVault> {
  const vault = await startVault({
    database,
    upstreamUrl: simulator.url,
    dataDir,
    environment: { WEIR_KEY_RETIRE_AFTER_MS: '0', ...environment },
  });
  running.push(vault);
  return vault;
}

function known(): string {
  const key = newSecret();
  simulator.keys.set({ key, credits: null, perMinute: null, burst: 500, scopes: ['download'], suspended: false });
  return key;
}

interface Kept {
  readonly owner: TenantId;
  readonly id: string;
  readonly path: string;
  readonly secret: string;
}

async function keep(vault: RunningVault, owner: TenantId): Promise<Kept> {
  const secret = known();
  const keys = owner === PLATFORM ? '/v1/upstream-keys' : `/v1/tenants/${owner}/upstream-keys`;
  const { body } = await vault.request('POST', keys, { key: secret });
  return { owner, id: body.id, path: `${keys}/${body.id}`, secret };
}

/** Two keys each of some tenants, and one of the platform's. */
async function someKeys(vault: RunningVault, tenants: number): Promise<Kept[]> {
  const kept = [await keep(vault, PLATFORM)];
  for (let i = 0; i < tenants; i++) {
    const { id } = await vault.newTenant();
    kept.push(await keep(vault, id), await keep(vault, id));
  }
  return kept;
}

async function finished(vault: RunningVault, id: string) {
  await until(async () => (await vault.request('GET', `/v1/key-rotations/${id}`)).body.status === 'finished');
  return (await vault.request('GET', `/v1/key-rotations/${id}`)).body;
}

const dataKeysOf = async (owner: TenantId) =>
  (await admin.query(`select version, kek_id, octet_length(wrapped) = 0 as destroyed from ${schemaOf(owner)}.data_keys order by version`)).rows;
const allUsable = async (vault: RunningVault, kept: readonly Kept[]) => {
  for (const { path } of kept) {
    expect((await vault.request('POST', `${path}/check`)).body).toMatchObject({ state: 'usable', lastCheck: { outcome: 'accepted' } });
  }
};

describe('rotation of all data keys and of the key-encryption key', () => {
  it('V8 leaves nothing under the old keys, says so by tenant under a signature, and destroys the old', async () => {
    const vault = await vaultWith();
    const kept = await someKeys(vault, 2);
    const [kekBefore] = (await dataKeysOf(PLATFORM)).map(({ kek_id }) => kek_id);
    const started = await vault.request('POST', '/v1/key-rotations', {});
    expect(started.status).toBe(202);
    const rotation = await finished(vault, started.body.id);

    const { report, signature } = rotation;
    expect(report).toMatchObject({
      of: ['data-keys', 'key-encryption-key'],
      totals: { tenants: 3, blobs: 5, leftUnderOld: 0, unreadable: 0 },
      complete: true,
    });
    expect(report.kekId).not.toBe(kekBefore);
    for (const owner of new Set(kept.map((one) => one.owner))) {
      expect(report.tenants.find(({ tenantId }: { tenantId: string }) => tenantId === owner).blobs).toEqual([
        { dataKeyVersion: 2, kekId: report.kekId, count: owner === PLATFORM ? 1 : 2 },
      ]);
      expect(await dataKeysOf(owner)).toMatchObject([
        { version: 1, destroyed: true },
        { version: 2, destroyed: false, kek_id: report.kekId },
      ]);
    }
    expect(JSON.parse(signature.signed)).toEqual(report);
    expect(signedBy(signature.publicKey, signature.signed, Buffer.from(signature.value, 'base64'))).toBe(true);
    expect(signedBy(signature.publicKey, signature.signed.replace('"leftUnderOld":0', '"leftUnderOld":1'), Buffer.from(signature.value, 'base64'))).toBe(false);

    // the old key-encryption key is gone from the file, and fetchers open with the new one what the topic says
    await until(() => readFileSync(keyFile, 'utf8').trimEnd().split('\n').length === 1);
    const envelope = createEnvelope({
      keyEncryption: shreddable(localKeyEncryption({ keyFile }), fileShredKeys({ directory: join(dataDir, 'shred-keys') })),
      dataKeys: { maxEntries: 10, maxAgeMs: 60_000, maxUses: 100 },
    });
    for (const { id, secret } of kept) {
      await until(async () => (await stateOf(vault, id))?.versions[0]?.dataKey.version === 2);
      const state = (await stateOf(vault, id))!;
      expect((await openUpstreamKey(envelope, state, state.versions[0]!)).toString()).toBe(secret);
    }
    envelope.close();
    await allUsable(vault, kept);
    await until(async () => (await vault.records(eventsTopic('upstream-key'))).some(({ headers }) => headers['ce_type'] === 'key-rotation.finished'));
  }, 20_000);

  it('V8 goes on after each kill, from any point on, and ends with the same report', async () => {
    const vault = await vaultWith({ WEIR_ROLES: 'http' });
    const kept = await someKeys(vault, 2);
    const { body } = await vault.request('POST', '/v1/key-rotations', {});
    for (const statements of [3, 9, 16, 24, 33]) {
      const child = fork(join(__dirname, '..', 'testing', 'rotating-process.ts'), [database.urlOf('key-vault'), keyFile, String(statements)], {
        execArgv: ['--require', join(__dirname, '../../../..', 'tools', 'build', 'register.cjs')],
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      const signal = await new Promise((resolve) => child.once('exit', (_, by) => resolve(by)));
      expect(signal).toBe('SIGKILL');
      // whatever has happened so far, every key opens
      await allUsable(vault, kept);
    }
    const child = fork(join(__dirname, '..', 'testing', 'rotating-process.ts'), [database.urlOf('key-vault'), keyFile, '1000000'], {
      execArgv: ['--require', join(__dirname, '../../../..', 'tools', 'build', 'register.cjs')],
    });
    const { report } = await finished(vault, body.id);
    child.kill('SIGKILL');
    expect(report).toMatchObject({ totals: { tenants: 3, blobs: 5, leftUnderOld: 0, unreadable: 0 }, complete: true });
    for (const { owner } of kept) expect((await dataKeysOf(owner)).map(({ version, destroyed }) => [version, destroyed])).toEqual([[1, true], [2, false]]);
    await allUsable(vault, kept);
  }, 60_000);

  it('goes on while keys are handed in, rotated and removed, and what was sealed meanwhile is not under the old key either', async () => {
    const vault = await vaultWith();
    const { id: tenant } = await vault.newTenant();
    const kept = [await keep(vault, tenant), await keep(vault, tenant), await keep(vault, tenant)];
    const { body } = await vault.request('POST', '/v1/key-rotations', { of: ['data-keys'] });
    const [rotated, removed] = kept as [Kept, Kept, Kept];
    const retried = async (call: () => Promise<{ status: number }>) => {
      // 409 contended: sealed under the data key that the rotation had just destroyed
      for (;;) {
        const { status } = await call();
        if (status !== 409) return expect(status).toBeLessThan(300);
      }
    };
    await Promise.all([
      retried(() => vault.request('POST', `${rotated.path}/versions`, { key: known() })),
      retried(() => vault.request('DELETE', removed.path)),
      ...Array.from({ length: 5 }, () => retried(() => vault.request('POST', `/v1/tenants/${tenant}/upstream-keys`, { key: known() }))),
    ]);
    const { report } = await finished(vault, body.id);
    expect(report).toMatchObject({ totals: { leftUnderOld: 0, unreadable: 0 }, complete: true });
    const { rows } = await admin.query(`select distinct data_key_version as version from ${schemaOf(tenant)}.upstream_key_blobs`);
    expect(rows).toEqual([{ version: 2 }]);
  }, 20_000);

  it('a secret that was damaged before is named, stays as it is, and holds up nothing else', async () => {
    const vault = await vaultWith();
    const [platform, damaged, whole] = (await someKeys(vault, 1)) as [Kept, Kept, Kept];
    await admin.query(`update ${schemaOf(damaged.owner)}.upstream_key_blobs set sealed = set_byte(sealed, 90, get_byte(sealed, 90) # 1) where key_id = $1`, [damaged.id]);
    const { body } = await vault.request('POST', '/v1/key-rotations', {});
    const { report } = await finished(vault, body.id);
    expect(report).toMatchObject({ totals: { blobs: 3, leftUnderOld: 1, unreadable: 1 }, complete: false });
    expect(report.tenants.find(({ tenantId }: { tenantId: string }) => tenantId === damaged.owner).unreadable).toEqual([{ keyId: damaged.id, version: 1 }]);
    await allUsable(vault, [platform, whole]);
    // an incomplete rotation destroys no key-encryption key
    expect(readFileSync(keyFile, 'utf8').trimEnd().split('\n')).toHaveLength(2);
  }, 20_000);

  it('wraps data keys under another KMS key by ReEncrypt; the old one can be disabled then', async () => {
    process.env['AWS_ACCESS_KEY_ID'] ??= 'spec';
    process.env['AWS_SECRET_ACCESS_KEY'] ??= 'spec';
    process.env['AWS_REGION'] ??= 'us-east-1';
    process.env['AWS_ENDPOINT_URL'] ??= servers().kmsUrl;
    const kms = new KMSClient({});
    const newKey = async () => (await kms.send(new CreateKeyCommand({}))).KeyMetadata!;
    const [before, after] = [await newKey(), await newKey()];
    const first = await vaultWith({ WEIR_KEY_ENCRYPTION: 'kms', WEIR_KMS_KEY_ID: before.KeyId! });
    const kept = await someKeys(first, 1);
    await running.pop()!.stop();

    const vault = await vaultWith({ WEIR_KEY_ENCRYPTION: 'kms', WEIR_KMS_KEY_ID: after.KeyId! });
    const { body } = await vault.request('POST', '/v1/key-rotations', { of: ['key-encryption-key'] });
    const { report } = await finished(vault, body.id);
    expect(report).toMatchObject({ kekId: after.Arn, totals: { blobs: 3, leftUnderOld: 0 }, complete: true });
    expect(await dataKeysOf(PLATFORM)).toMatchObject([{ version: 1, kek_id: after.Arn, destroyed: false }]);
    await kms.send(new DisableKeyCommand({ KeyId: before.KeyId! }));
    await allUsable(vault, kept);
    kms.destroy();
  }, 30_000);

  it('is for operators alone, and a rotation that there is not is not found', async () => {
    const vault = await vaultWith();
    const { token } = await vault.newTenant();
    const asTenant = { authorization: `Bearer ${token}` };
    expect((await vault.request('POST', '/v1/key-rotations', {}, asTenant)).status).toBe(403);
    expect((await vault.request('GET', '/v1/key-rotations/op_01k0000000000000000000000a')).status).toBe(404);
    expect((await vault.request('POST', '/v1/key-rotations', { of: ['everything'] })).status).toBe(400);
  }, 20_000);
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateKeyCommand, DisableKeyCommand, EnableKeyCommand, KMSClient, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import { awsKmsKeyEncryption, createEnvelope, openUpstreamKey, secretsManagerShredKeys, shreddable } from '@weir/envelope';
import type { TenantId } from '@weir/kernel';
import { schemaOf } from '@weir/tenancy';
import { eventually, freshDatabase, freshPrefix, servers, type TestDatabase } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { Client } from 'pg';
import { newSecret, stateOf, until } from '../testing/observations';
import { startVault, type RunningVault } from '../testing/running-vault';

// the endpoint asks for a signature and not for whose
process.env['AWS_ACCESS_KEY_ID'] ??= 'spec';
process.env['AWS_SECRET_ACCESS_KEY'] ??= 'spec';
process.env['AWS_REGION'] ??= 'us-east-1';
process.env['AWS_ENDPOINT_URL'] ??= servers().kmsUrl;

const kms = new KMSClient({});
const prefix = freshPrefix();
const dataDir = mkdtempSync(join(tmpdir(), 'weir-vault-'));
let database: TestDatabase;
let admin: Client;
let simulator: Simulator;
let platforms: { id: string; arn: string };
let vault: RunningVault;

const newKmsKey = async () => {
  const { KeyId, Arn } = (await kms.send(new CreateKeyCommand({}))).KeyMetadata!;
  return { id: KeyId!, arn: Arn! };
};

beforeAll(async () => {
  [database, simulator, platforms] = await Promise.all([freshDatabase(), startSimulator(), newKmsKey()]);
  admin = new Client({ connectionString: database.adminUrl });
  await admin.connect();
  vault = await startVault({
    database,
    upstreamUrl: simulator.url,
    dataDir,
    environment: {
      WEIR_KEY_ENCRYPTION: 'kms',
      WEIR_KMS_KEY_ID: platforms.id,
      WEIR_SHRED_KEY_PREFIX: prefix,
      // nothing is kept in memory for long, so that what KMS says now is what counts
      WEIR_DATA_KEY_CACHE_AGE_MS: '1',
    },
  });
}, 60_000);
afterAll(async () => {
  await vault.stop();
  await simulator.close();
  await admin.end();
  await database.drop();
  kms.destroy();
  rmSync(dataDir, { recursive: true });
});

async function tenantWithKey() {
  const secret = newSecret();
  simulator.keys.set({ key: secret, credits: null, perMinute: null, burst: 500, scopes: [], suspended: false });
  const { id: tenant, token } = await vault.newTenant();
  const keys = `/v1/tenants/${tenant}/upstream-keys`;
  const { body } = await vault.request('POST', keys, { key: secret });
  return { secret, tenant, token, keys, id: body.id as string, setting: `/v1/tenants/${tenant}/kms-key` };
}

async function finished(id: string) {
  await until(async () => (await vault.request('GET', `/v1/key-rotations/${id}`)).body.status === 'finished');
  return (await vault.request('GET', `/v1/key-rotations/${id}`)).body;
}

/** Set, and everything moved. */
async function under(kmsKeyId: string, setting: string) {
  const set = await vault.request('PUT', setting, { kmsKeyId });
  expect(set).toMatchObject({ status: 202, body: { kmsKeyId } });
  return finished(set.body.rotation.id);
}

const dataKeysOf = async (tenant: TenantId) =>
  (await admin.query(`select version, kek_id, destroyed_at is null as live from ${schemaOf(tenant)}.data_keys order by version`)).rows;
const check = (keys: string, id: string) => vault.request('POST', `${keys}/${id}/check`);

const envelopeOfAFetcher = () =>
  createEnvelope({
    keyEncryption: shreddable(awsKmsKeyEncryption({ keyId: platforms.id }), secretsManagerShredKeys({ prefix })),
    dataKeys: { maxEntries: 10, maxAgeMs: 60_000, maxUses: 1_000 },
  });

describe('a tenant with a KMS key of its own', () => {
  it('has everything sealed anew under it, with a report of that, and what is sealed later too; back under the platform\'s the same way', async () => {
    const { tenant, keys, id, setting, secret } = await tenantWithKey();
    const neighbour = await tenantWithKey();
    const own = await newKmsKey();
    const { report, tenantId } = await under(own.arn, setting);
    expect(tenantId).toBe(tenant);
    expect(report).toMatchObject({ complete: true, totals: { tenants: 1, blobs: 1, leftUnderOld: 0 }, tenants: [{ tenantId: tenant, kekId: own.arn, blobs: [{ dataKeyVersion: 2, kekId: own.arn, count: 1 }] }] });
    expect(await dataKeysOf(tenant)).toEqual([
      { version: 1, kek_id: platforms.arn, live: false },
      { version: 2, kek_id: own.arn, live: true },
    ]);
    expect(await dataKeysOf(neighbour.tenant)).toMatchObject([{ kek_id: platforms.arn, live: true }]);
    expect((await vault.request('GET', setting)).body).toMatchObject({ kmsKeyId: own.arn });

    // a fetcher knows nothing of the setting: what it opens says under which key it is
    const state = await eventually(async () => {
      const said = (await stateOf(vault, id))!;
      expect(said.versions[0]?.dataKey.kekId).toBe(own.arn);
      return said;
    });
    const envelope = envelopeOfAFetcher();
    expect((await openUpstreamKey(envelope, state, state.versions[0]!)).toString()).toBe(secret);
    envelope.close();

    const back = await vault.request('DELETE', setting);
    expect((await finished(back.body.rotation.id)).report).toMatchObject({ complete: true, tenants: [{ kekId: platforms.arn }] });
    await kms.send(new DisableKeyCommand({ KeyId: own.id }));
    expect((await check(keys, id)).body).toMatchObject({ state: 'usable', lastCheck: { outcome: 'accepted' } });
  }, 20_000);

  it('V7 opens nothing any more once the tenant has disabled its key, and again when it is back; the neighbours\' go on', async () => {
    const { keys, id, setting } = await tenantWithKey();
    const neighbour = await tenantWithKey();
    const own = await newKmsKey();
    await under(own.arn, setting);
    await kms.send(new DisableKeyCommand({ KeyId: own.id }));
    await eventually(async () => expect(await check(keys, id)).toMatchObject({ status: 503, body: { code: 'key-encryption-refused' } }));
    expect((await check(neighbour.keys, neighbour.id)).body).toMatchObject({ state: 'usable' });
    await kms.send(new EnableKeyCommand({ KeyId: own.id }));
    expect((await check(keys, id)).body).toMatchObject({ state: 'usable' });
  }, 20_000);

  it("V12 deleting its KMS key is the end of every copy of its secrets, the shred key's or not", async () => {
    const { id, setting } = await tenantWithKey();
    const own = await newKmsKey();
    await under(own.arn, setting);
    const backup = await eventually(async () => {
      const said = (await stateOf(vault, id))!;
      expect(said.versions[0]?.dataKey.kekId).toBe(own.arn);
      return said;
    });
    await kms.send(new ScheduleKeyDeletionCommand({ KeyId: own.id, PendingWindowInDays: 7 }));
    const envelope = envelopeOfAFetcher();
    await expect(openUpstreamKey(envelope, backup, backup.versions[0]!)).rejects.toMatchObject({ code: 'key-encryption-refused' });
    envelope.close();
  }, 20_000);

  it('stays under its own key when everybody is moved to another key of the platform', async () => {
    const { tenant, setting } = await tenantWithKey();
    const own = await newKmsKey();
    await under(own.arn, setting);
    const { body } = await vault.request('POST', '/v1/key-rotations', { of: ['key-encryption-key'] });
    // tenants of other tests may have taken their keys away, and wait
    await eventually(async () => {
      const { rows } = await admin.query('select found from weir_key_vault.key_rotation_tenants where rotation_id = $1 and tenant_id = $2', [body.id, tenant]);
      expect(rows[0]?.found).toMatchObject({ kekId: own.arn, leftUnderOld: 0, blobs: [{ kekId: own.arn, count: 1 }] });
    });
  }, 20_000);

  it('is not set to a key that KMS does not let the vault use, and stays as it was', async () => {
    const { tenant, setting, token } = await tenantWithKey();
    const disabled = await newKmsKey();
    await kms.send(new DisableKeyCommand({ KeyId: disabled.id }));
    expect(await vault.request('PUT', setting, { kmsKeyId: disabled.arn })).toMatchObject({ status: 409, body: { code: 'kms-key-refused' } });
    expect(await vault.request('PUT', setting, { kmsKeyId: 'alias/somebody' })).toMatchObject({ status: 400 });
    const own = await newKmsKey();
    expect((await vault.request('PUT', setting, { kmsKeyId: own.arn }, { authorization: `Bearer ${token}` })).status).toBe(403);
    expect((await vault.request('GET', setting, undefined, { authorization: `Bearer ${token}` })).body).toMatchObject({ tenantId: tenant, kmsKeyId: null });
    expect(await dataKeysOf(tenant)).toHaveLength(1);
  }, 20_000);
});

it('where the key-encryption key stands in a file no tenant has a KMS key', async () => {
  const local = await startVault({ database, upstreamUrl: simulator.url, dataDir, environment: { WEIR_ROLES: 'http' } });
  const { id } = await local.newTenant();
  const own = await newKmsKey();
  expect(await local.request('PUT', `/v1/tenants/${id}/kms-key`, { kmsKeyId: own.arn })).toMatchObject({ status: 409, body: { code: 'no-kms' } });
  await local.stop();
}, 20_000);

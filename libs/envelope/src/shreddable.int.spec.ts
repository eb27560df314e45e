import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PLATFORM, newId } from '@weir/kernel';
import { freshPrefix, servers } from '@weir/testing';
import { awsKmsKeyEncryption } from './aws-kms';
import { keyEncryptionConformance } from './conformance';
import { createEnvelope } from './envelope';
import { fileShredKeys } from './file-shred-keys';
import { localKeyEncryption } from './local-key';
import { secretsManagerShredKeys } from './secrets-manager-shred-keys';
import { shreddable } from './shreddable';
import { shredKeysConformance } from './shred-keys.conformance';

// the endpoint asks for a signature and not for whose
process.env['AWS_ACCESS_KEY_ID'] ??= 'spec';
process.env['AWS_SECRET_ACCESS_KEY'] ??= 'spec';

const dir = mkdtempSync(join(tmpdir(), 'weir-shred-'));
afterAll(() => rmSync(dir, { recursive: true }));
const region = 'us-east-1';
const endpoint = servers().kmsUrl;
const prefix = freshPrefix();
const files = (directory: string) => fileShredKeys({ directory: join(dir, directory) });
const secrets = () => secretsManagerShredKeys({ prefix, region, endpoint });
const local = (name: string) => localKeyEncryption({ keyFile: join(dir, `${name}.key`) });

describe('shred keys in files', () => {
  shredKeysConformance(() => files('conformance'));

  it('are for nobody else to read, and leave no draft and nothing behind', async () => {
    const keys = files('modes');
    const tenant = newId('ten');
    await keys.getOrCreate(tenant);
    expect(readdirSync(join(dir, 'modes'))).toEqual([tenant]);
    expect(statSync(join(dir, 'modes', tenant)).mode & 0o777).toBe(0o600);
    await keys.destroy(tenant);
    expect(readdirSync(join(dir, 'modes'))).toEqual([]);
    await expect(keys.getOrCreate('ten_../../x' as never)).rejects.toMatchObject({ code: 'unreadable-secret' });
  });
});

describe('shred keys in AWS Secrets Manager', () => {
  shredKeysConformance(secrets);

  it('are unavailable and not gone while Secrets Manager cannot be reached', async () => {
    const away = secretsManagerShredKeys({ prefix, region, endpoint: 'http://127.0.0.1:1', maxAttempts: 1 });
    for (const work of ['get', 'destroy', 'getOrCreate'] as const) {
      await expect(away[work](PLATFORM)).rejects.toMatchObject({ code: 'key-encryption-unavailable', status: 503 });
    }
    away.close();
  });
});

describe('a local key with shred keys in files', () => {
  keyEncryptionConformance(() => shreddable(local('conformance'), { ...files('below'), get: conformanceTenants, getOrCreate: conformanceTenants }));
});

describe('AWS KMS with shred keys in Secrets Manager', () => {
  keyEncryptionConformance(() => {
    const keys = secrets();
    return shreddable(awsKmsKeyEncryption({ keyId: servers().kmsKeyId, endpoint, region }), keys);
  });
});

/** The suite's tenants have ids that are none. */
async function conformanceTenants(tenant: string): Promise<Buffer> {
  return Buffer.alloc(32, tenant.charCodeAt(4));
}

describe('a tenant whose shred key is destroyed', () => {
  const sealing = (name: string) =>
    createEnvelope({
      keyEncryption: shreddable(local(name), files(name)),
      dataKeys: { maxEntries: 10, maxAgeMs: 60_000, maxUses: 1_000 },
    });

  it('V12 opens nowhere any more, from whatever copy, with the key-encryption key in hand and another shred key made since', async () => {
    const [tenantId, other] = [newId('ten'), newId('ten')];
    const place = { tenantId, keyId: 'key_1', version: 1, purpose: 'upstream-key' };
    const envelope = sealing('v12');
    const dataKey = await envelope.createDataKey(tenantId, place.purpose, 1);
    const sealed = await envelope.seal({ ...place, plaintext: 'the secret', dataKey });
    const otherKey = await envelope.createDataKey(other, place.purpose, 1);
    const copy = { sealed: Buffer.from(sealed), dataKey: { ...dataKey, wrapped: Buffer.from(dataKey.wrapped) } };
    expect((await envelope.open(copy.sealed, { ...place, dataKey: copy.dataKey })).toString()).toBe('the secret');

    await files('v12').destroy(tenantId);
    envelope.forgetDataKeys();
    await expect(envelope.open(copy.sealed, { ...place, dataKey: copy.dataKey })).rejects.toMatchObject({ code: 'key-shredded', status: 424 });
    await files('v12').getOrCreate(tenantId);
    await expect(envelope.open(copy.sealed, { ...place, dataKey: copy.dataKey })).rejects.toMatchObject({ code: 'unreadable-secret' });
    // nor does the layer below open by itself
    await expect(local('v12').unwrap(copy.dataKey, { tenant_id: tenantId, purpose: place.purpose, data_key_version: '1' })).rejects.toMatchObject({ code: 'unreadable-secret' });
    // the next tenant's opens as before
    await envelope.seal({ ...place, tenantId: other, plaintext: 'x', dataKey: otherKey });
    envelope.close();
    expect(readFileSync(join(dir, 'v12.key'), 'utf8')).toContain('weir-key-encryption-key-v1:');
  });

  it('opens what was wrapped before there were shred keys; rewrapping adds the second layer', async () => {
    const tenantId = newId('ten');
    const context = { tenant_id: tenantId, purpose: 'upstream-key', data_key_version: '1' };
    const plain = local('older');
    const { plaintext, ...before } = await plain.generateDataKey(context);
    const keys = shreddable(local('older'), files('older'));
    expect(await keys.unwrap(before, context)).toEqual(plaintext);
    const after = await keys.rewrap(before, context);
    await expect(plain.unwrap(after, context)).rejects.toMatchObject({ code: 'unreadable-secret' });
    expect(await keys.unwrap(after, context)).toEqual(plaintext);
    keys.close();
    plain.close();
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CancelKeyDeletionCommand, DecryptCommand, DisableKeyCommand, EnableKeyCommand, EncryptCommand, GenerateDataKeyCommand, KMSClient, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import { CreateSecretCommand, DeleteSecretCommand, GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { startParts, type Parts } from '../parts';

const dataDir = mkdtempSync(join(tmpdir(), 'weir-kms-'));
let parts: Parts<'kms'>;

const start = async () => {
  const environment = { PATH: process.env['PATH'], WEIR_STACK_CACHE: process.env['WEIR_STACK_CACHE'] };
  parts = await startParts({ only: ['kms'], dataDir, environment });
  return new KMSClient({ endpoint: parts.kms.url, region: 'us-east-1', credentials: { accessKeyId: 'spec', secretAccessKey: 'spec' }, maxAttempts: 1 });
};

beforeAll(async () => void (await start()), 120_000);
afterAll(async () => {
  await parts.stop();
  rmSync(dataDir, { recursive: true });
});

describe('the KMS endpoint of this machine', () => {
  it('keeps its key over a restart: what was encrypted before opens after', async () => {
    await parts.stop();
    const before = await start();
    const { keyId } = parts.kms;
    const { CiphertextBlob } = await before.send(new EncryptCommand({ KeyId: keyId, Plaintext: Buffer.from('kept'), EncryptionContext: { tenant: 'a' } }));
    await parts.stop();
    const after = await start();
    expect(parts.kms.keyId).toBe(keyId);
    const { Plaintext } = await after.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: { tenant: 'a' } }));
    expect(Buffer.from(Plaintext as Uint8Array).toString()).toBe('kept');
    await expect(after.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: { tenant: 'b' } }))).rejects.toThrow();
  });

  it('keeps secrets over a restart, and one that was deleted at once is gone after it too', async () => {
    const secrets = () => new SecretsManagerClient({ endpoint: parts.kms.url, region: 'us-east-1', credentials: { accessKeyId: 'spec', secretAccessKey: 'spec' } });
    await restarted();
    for (const Name of ['kept', 'gone']) await secrets().send(new CreateSecretCommand({ Name, SecretBinary: Buffer.from('bytes') }));
    await secrets().send(new DeleteSecretCommand({ SecretId: 'gone', ForceDeleteWithoutRecovery: true }));
    await restarted();
    const { SecretBinary } = await secrets().send(new GetSecretValueCommand({ SecretId: 'kept' }));
    expect(Buffer.from(SecretBinary as Uint8Array).toString()).toBe('bytes');
    await expect(secrets().send(new GetSecretValueCommand({ SecretId: 'gone' }))).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  it('V7 refuses a disabled key and one that is pending deletion, as AWS does', async () => {
    const client = await restarted();
    const KeyId = parts.kms.keyId;
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('x') }));
    const uses = () => [client.send(new DecryptCommand({ CiphertextBlob })), client.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }))];

    await client.send(new DisableKeyCommand({ KeyId }));
    for (const use of uses()) await expect(use).rejects.toMatchObject({ name: 'DisabledException' });
    await client.send(new EnableKeyCommand({ KeyId }));
    await client.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
    for (const use of uses()) await expect(use).rejects.toMatchObject({ name: 'KMSInvalidStateException' });
    await client.send(new CancelKeyDeletionCommand({ KeyId }));
    await client.send(new EnableKeyCommand({ KeyId }));
    for (const use of uses()) await expect(use).resolves.toBeDefined();
  });
});

async function restarted(): Promise<KMSClient> {
  await parts.stop();
  return start();
}

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateKeyCommand, DisableKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { newId } from '@weir/kernel';
import { servers } from '@weir/testing';
import { awsKmsKeyEncryption } from './aws-kms';
import type { WrappedDataKey } from './data-key-cache';
import { createEnvelope, type Envelope } from './envelope';
import { fileShredKeys } from './file-shred-keys';
import { handedKeyEncryption, type Recipient } from './handed-keys';
import type { KeyEncryption } from './key-encryption';
import { localKeyEncryption } from './local-key';
import { shreddable } from './shreddable';

// the endpoint asks for a signature and not for whose
process.env['AWS_ACCESS_KEY_ID'] ??= 'spec';
process.env['AWS_SECRET_ACCESS_KEY'] ??= 'spec';

const region = 'us-east-1';
const endpoint = servers().kmsUrl;
const dir = mkdtempSync(join(tmpdir(), 'weir-handed-'));
const kms = new KMSClient({ endpoint, region });
const newKmsKey = async (): Promise<string> => (await kms.send(new CreateKeyCommand({}))).KeyMetadata!.Arn!;
afterAll(() => {
  kms.destroy();
  rmSync(dir, { recursive: true });
});

const over = (keyEncryption: KeyEncryption): Envelope => createEnvelope({ keyEncryption, dataKeys: { maxEntries: 10, maxAgeMs: 60_000, maxUses: 1_000 } });
const shredKeys = () => fileShredKeys({ directory: join(dir, 'shred-keys') });
const local = () => shreddable(localKeyEncryption({ keyFile: join(dir, 'source.key') }), shredKeys());

/** A secret sealed in one installation, and all that another is given of it. */
async function handedOver(source: KeyEncryption, to: Recipient) {
  const place = { tenantId: newId('ten'), keyId: 'key_1', version: 1, purpose: 'upstream-key' };
  const envelope = over(source);
  const dataKey = await envelope.createDataKey(place.tenantId, place.purpose, 3);
  const sealed = await envelope.seal({ ...place, plaintext: 'the secret', dataKey });
  const handed = await envelope.handOver(dataKey, to);
  envelope.close();
  return { place, dataKey, sealed, handed: { ...handed, purpose: place.purpose } };
}

const opens = (by: KeyEncryption, { place, sealed }: Awaited<ReturnType<typeof handedOver>>, dataKey: WrappedDataKey): Promise<string> => {
  const envelope = over(by);
  return envelope
    .open(sealed, { ...place, dataKey })
    .then((secret) => secret.toString(), (error: { code: string }) => error.code)
    .finally(() => envelope.close());
};

describe('a data key that is handed over', () => {
  it.each([
    ['from a local key', local],
    ['from AWS KMS', () => shreddable(awsKmsKeyEncryption({ keyId: servers().kmsKeyId, endpoint, region }), shredKeys())],
  ])('%s for a transfer key opens with that one alone, and in its own place alone', async (_, source) => {
    const transferKey = randomBytes(32);
    const given = await handedOver(source(), { transferKey });
    const taker = (key: Buffer) => handedKeyEncryption({ transferKey: Buffer.from(key) });
    expect(await opens(taker(transferKey), given, given.handed)).toBe('the secret');
    expect(await opens(taker(randomBytes(32)), given, given.handed)).toBe('key-encryption-refused');
    const tenantId = newId('ten');
    expect(await opens(taker(transferKey), { ...given, place: { ...given.place, tenantId } }, { ...given.handed, tenantId })).toBe('unreadable-secret');
  });

  it('for a KMS key stays within KMS, opens under that key alone, and no longer once it is disabled', async () => {
    const [ours, theirs] = [await newKmsKey(), await newKmsKey()];
    const given = await handedOver(shreddable(awsKmsKeyEncryption({ keyId: ours, endpoint, region }), shredKeys()), { kmsKeyId: theirs });
    expect(given.handed.kekId).toBe(theirs);
    const taker = () => handedKeyEncryption({ kms: { keyId: theirs, endpoint, region } });
    expect(await opens(taker(), given, given.handed)).toBe('the secret');
    // the context says what it is for: who may open upstream keys under that key does not open this
    expect(await opens(awsKmsKeyEncryption({ keyId: theirs, endpoint, region }), given, given.handed)).toBe('unreadable-secret');
    await kms.send(new DisableKeyCommand({ KeyId: theirs.split('/').at(-1)! }));
    expect(await opens(taker(), given, given.handed)).toBe('key-encryption-refused');
  });

  it('V12 holds nothing of the shred key: with that destroyed the copy that was not handed over opens nowhere, the handed one for its recipient', async () => {
    const transferKey = randomBytes(32);
    const given = await handedOver(local(), { transferKey });
    await shredKeys().destroy(given.place.tenantId);
    expect(await opens(local(), given, given.dataKey)).toBe('key-shredded');
    expect(await opens(local(), given, given.handed)).not.toBe('the secret');
    expect(await opens(handedKeyEncryption({ transferKey }), given, given.handed)).toBe('the secret');
    // and when it is gone, none is handed over any more
    const source = over(local());
    await expect(source.handOver(given.dataKey, { transferKey })).rejects.toMatchObject({ code: 'key-shredded' });
    source.close();
  });

  it('cannot be handed to a KMS key by who holds its own key in a file', async () => {
    await expect(handedOver(local(), { kmsKeyId: await newKmsKey() })).rejects.toMatchObject({ code: 'key-encryption-refused' });
  });
});

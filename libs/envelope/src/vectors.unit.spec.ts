import vectors from '../fixtures/vectors.json';
import { createEnvelope } from './envelope';
import { localKeyEncryptionOf } from './local-key';
import { deriveMessageKey, sealMessage } from './message-key';
import { contextBytes, dataKeyVersionOf } from './sealed-secret';
import type { TenantId } from '@weir/kernel';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

// made by fixtures/make_vectors.py, which knows docs/envelope-format.md and none of this code
describe.each(vectors)('test vector: $name', (vector) => {
  const { keyId, version, purpose, dataKeyVersion } = vector;
  const place = { tenantId: vector.tenantId as TenantId, keyId, version, purpose };
  const dataKey = {
    tenantId: place.tenantId,
    purpose,
    version: dataKeyVersion,
    kekId: vector.kekId,
    wrapped: hex(vector.wrapped),
  };
  const envelope = createEnvelope({
    keyEncryption: localKeyEncryptionOf(hex(vector.kek)),
    dataKeys: { maxEntries: 1, maxAgeMs: 60_000, maxUses: 100 },
  });
  afterAll(() => envelope.close());

  it('has the context that binds a secret to its place', () =>
    expect(contextBytes(place, dataKeyVersion)?.toString('hex')).toBe(vector.context));

  it('seals to the same bytes', () => {
    const [salt, nonce, context] = [hex(vector.salt), hex(vector.nonce), hex(vector.context)];
    const key = deriveMessageKey(hex(vector.dataKey), salt, context);
    expect(sealMessage(key, { plaintext: hex(vector.plaintext), context, dataKeyVersion, salt, nonce }).toString('hex')).toBe(
      vector.sealed,
    );
  });

  it('opens, its data key unwrapped from the file key', async () => {
    expect(dataKeyVersionOf(hex(vector.sealed))).toBe(dataKeyVersion);
    expect((await envelope.open(hex(vector.sealed), { ...place, dataKey })).toString('hex')).toBe(vector.plaintext);
  });

  it('has the same fingerprint', async () =>
    expect(await envelope.fingerprint(hex(vector.plaintext), dataKey)).toBe(vector.fingerprint));
});

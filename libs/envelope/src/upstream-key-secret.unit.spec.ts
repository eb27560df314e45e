import { randomBytes } from 'node:crypto';
import type { KeyId } from '@weir/kernel';
import { createEnvelope } from './envelope';
import { localKeyEncryptionOf } from './local-key';
import {
  UPSTREAM_KEY_PURPOSE,
  openUpstreamKey,
  sealedKeyMembers,
  upstreamKeyContext,
  type SealedKeyVersion,
} from './upstream-key-secret';

const envelope = createEnvelope({
  keyEncryption: localKeyEncryptionOf(randomBytes(32)),
  dataKeys: { maxEntries: 5, maxAgeMs: 60_000, maxUses: 1_000 },
});
afterAll(() => envelope.close());

const key = { id: 'key_1' as KeyId, owner: 'ten_a' as const };

async function sealedVersion(version: number): Promise<SealedKeyVersion> {
  const dataKey = await envelope.createDataKey(key.owner, UPSTREAM_KEY_PURPOSE, 1);
  const sealed = await envelope.seal({
    ...upstreamKeyContext({ owner: key.owner, keyId: key.id, version }),
    plaintext: 'the secret',
    dataKey,
  });
  return JSON.parse(
    JSON.stringify({ version, state: 'active', drainUntil: null, ...sealedKeyMembers(sealed, dataKey) }),
  ) as SealedKeyVersion;
}

describe("a version of an upstream key's record", () => {
  it('opens to the secret after its way over the topic', async () => {
    expect((await openUpstreamKey(envelope, key, await sealedVersion(3))).toString()).toBe('the secret');
  });

  it('V1 does not open in the record of another owner, key or version', async () => {
    const version = await sealedVersion(3);
    const refused = { code: 'unreadable-secret' };
    await expect(openUpstreamKey(envelope, { ...key, owner: 'ten_b' }, version)).rejects.toMatchObject(refused);
    await expect(openUpstreamKey(envelope, { ...key, id: 'key_2' }, version)).rejects.toMatchObject(refused);
    await expect(openUpstreamKey(envelope, key, { ...version, version: 4 })).rejects.toMatchObject(refused);
  });

  it('does not open with a data key of another purpose, nor as bytes that are none', async () => {
    const version = await sealedVersion(3);
    await expect(
      openUpstreamKey(envelope, key, { ...version, dataKey: { ...version.dataKey, purpose: 'webhook' } }),
    ).rejects.toMatchObject({ code: 'unreadable-secret' });
    await expect(openUpstreamKey(envelope, key, { ...version, sealed: 'not base64 !' })).rejects.toMatchObject({
      code: 'unreadable-secret',
    });
  });
});

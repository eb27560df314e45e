import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { TenantId } from '@weir/kernel';
import { createEnvelope, type Envelope } from './envelope';
import { localKeyEncryptionOf } from './local-key';
import { deriveMessageKey } from './message-key';
import { contextBytes, encodeSealed } from './sealed-secret';

/**
 * V4. AES-GCM does not commit to its key: with both keys in hand, one block of a ciphertext can be solved for so that both give the
 * same tag (Dodis, Grubbs, Ristenpart, Woodage: Fast Message Franking, 2018). It is done here, to show what the commitment is against.
 */
const place = { tenantId: 'ten_a' as TenantId, keyId: 'key_1', version: 1, purpose: 'upstream-key' };
const context = contextBytes(place, 1)!;
const salt = randomBytes(32);
const nonce = randomBytes(12);

// -- GF(2^128) as GCM has it (NIST SP 800-38D, 6.3): bit 0 is the leftmost

const R = 0xe1n << 120n;
const toInt = (block: Buffer): bigint => BigInt(`0x${block.toString('hex')}`);
const toBlock = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(32, '0'), 'hex');
function times(x: bigint, y: bigint): bigint {
  let [z, v] = [0n, y];
  for (let bit = 127n; bit >= 0n; bit--) {
    if ((x >> bit) & 1n) z ^= v;
    v = v & 1n ? (v >> 1n) ^ R : v >> 1n;
  }
  return z;
}
function power(x: bigint, exponent: bigint): bigint {
  let result = 1n << 127n;
  for (let [base, rest] = [x, exponent]; rest > 0n; rest >>= 1n, base = times(base, base))
    if (rest & 1n) result = times(result, base);
  return result;
}
const inverse = (x: bigint): bigint => power(x, 2n ** 128n - 2n);

const encryptBlock = (key: Buffer, block: Buffer): bigint =>
  toInt(createCipheriv('aes-256-ecb', key, null).setAutoPadding(false).update(block));

/** Two blocks of ciphertext that have one tag under both keys. */
function forTwoKeys(keys: readonly [Buffer, Buffer]): { ciphertext: Buffer; tag: Buffer } {
  const padded = Buffer.concat([context, Buffer.alloc((16 - (context.length % 16)) % 16)]);
  const blocks = Array.from({ length: padded.length / 16 }, (_, i) => toInt(padded.subarray(i * 16, i * 16 + 16)));
  const lengths = (BigInt(context.length * 8) << 64n) | 256n;
  const first = toInt(randomBytes(16));
  const known = [...blocks, first, 0n, lengths];
  const [one, two] = keys.map((key) => {
    const h = encryptBlock(key, Buffer.alloc(16));
    const hash = known.reduce((sum, block) => times(sum ^ block, h), 0n);
    return { h, rest: hash ^ encryptBlock(key, Buffer.concat([nonce, Buffer.of(0, 0, 0, 1)])) };
  }) as [{ h: bigint; rest: bigint }, { h: bigint; rest: bigint }];
  // the second block stands two powers of H from the end
  const free = times(one.rest ^ two.rest, inverse(times(one.h, one.h) ^ times(two.h, two.h)));
  return {
    ciphertext: Buffer.concat([toBlock(first), toBlock(free)]),
    tag: toBlock(one.rest ^ times(free, times(one.h, one.h))),
  };
}

function openWithGcmAlone(key: Buffer, ciphertext: Buffer, tag: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce).setAAD(context).setAuthTag(tag);
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
}

/** An envelope in which a data key of our choice is the tenant's. */
async function withDataKey(dataKey: Buffer) {
  const kek = localKeyEncryptionOf(randomBytes(32));
  const envelope = createEnvelope({
    keyEncryption: { ...kek, unwrap: async () => Buffer.from(dataKey) },
    dataKeys: { maxEntries: 1, maxAgeMs: 60_000, maxUses: 100 },
  });
  return { envelope, wrapped: await envelope.createDataKey(place.tenantId, place.purpose, 1) };
}

describe('a ciphertext crafted to open under two keys', () => {
  const dataKeys: [Buffer, Buffer] = [randomBytes(32), randomBytes(32)];
  const derived = dataKeys.map((dataKey) => deriveMessageKey(dataKey, salt, context));
  const { ciphertext, tag } = forTwoKeys([derived[0]!.key, derived[1]!.key]);
  const envelopes: { envelope: Envelope; wrapped: Awaited<ReturnType<Envelope['createDataKey']>> }[] = [];
  beforeAll(async () => void envelopes.push(await withDataKey(dataKeys[0]), await withDataKey(dataKeys[1])));
  afterAll(() => envelopes.forEach(({ envelope }) => envelope.close()));

  it('is real: AES-GCM alone opens it under both, to different texts', () => {
    const texts = derived.map(({ key }) => openWithGcmAlone(key, ciphertext, tag).toString('hex'));
    expect(texts[0]).not.toBe(texts[1]);
  });

  it('V4 opens under the one key that it commits to, and is refused under the other', async () => {
    for (const [own, other] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const sealed = encodeSealed({ dataKeyVersion: 1, salt, nonce, commitment: derived[own]!.commitment, tag, ciphertext });
      const open = (which: 0 | 1) => envelopes[which]!.envelope.open(sealed, { ...place, dataKey: envelopes[which]!.wrapped });
      expect(await open(own)).toEqual(openWithGcmAlone(derived[own]!.key, ciphertext, tag));
      await expect(open(other)).rejects.toMatchObject({ code: 'unreadable-secret' });
    }
  });
});

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { TenantId } from '@weir/kernel';
import { keyShredded, unreadableSecret } from './errors';
import type { EncryptionContext, KeyEncryption } from './key-encryption';
import type { ShredKeys } from './shred-keys';
import { TRANSFER_PURPOSE } from './transfer-purpose';

const CIPHER = 'aes-256-gcm';
// "WSK", 1; no KMS and no local key wraps to bytes that begin so
const MAGIC = Buffer.from([0x57, 0x53, 0x4b, 0x01]);
const NONCE_AT = MAGIC.length;
const TAG_AT = NONCE_AT + 12;
const INNER_AT = TAG_AT + 16;

/**
 * Key encryption whose wrapped data keys are wrapped a second time, under the tenant's shred key: magic (4), nonce (12), tag (16), and what
 * the key-encryption key made of it. What was wrapped before there were shred keys opens still; rewrapping adds the second layer.
 */
export function shreddable(inner: KeyEncryption, shredKeys: ShredKeys): KeyEncryption {
  const withNew = async (wrapped: Buffer, context: EncryptionContext): Promise<Buffer> => {
    const key = await shredKeys.getOrCreate(context.tenant_id as TenantId);
    try {
      return seal(key, wrapped, context);
    } finally {
      key.fill(0);
    }
  };
  const opened = async (wrapped: Buffer, context: EncryptionContext): Promise<Buffer> => {
    if (!wrapped.subarray(0, MAGIC.length).equals(MAGIC)) return wrapped;
    const key = await shredKeys.get(context.tenant_id as TenantId);
    if (key === undefined) throw keyShredded();
    try {
      return open(key, wrapped, context);
    } finally {
      key.fill(0);
    }
  };

  return {
    name: inner.name,
    async generateDataKey(context, under) {
      const made = await inner.generateDataKey(context, under);
      try {
        return { ...made, wrapped: await withNew(made.wrapped, context) };
      } catch (error) {
        made.plaintext.fill(0);
        throw error;
      }
    },
    unwrap: async ({ kekId, wrapped }, context) => inner.unwrap({ kekId, wrapped: await opened(wrapped, context) }, context),
    async rewrap({ kekId, wrapped }, context, to = {}) {
      const rewrapped = await inner.rewrap({ kekId, wrapped: await opened(wrapped, context) }, context, to);
      const after = to.context ?? context;
      // who takes a handed key has another shred key, or none
      if (after.purpose === TRANSFER_PURPOSE) return rewrapped;
      return { ...rewrapped, wrapped: await withNew(rewrapped.wrapped, after) };
    },
    currentKekId: () => inner.currentKekId(),
    turnOver: (label) => inner.turnOver(label),
    retireOthers: (kekId) => inner.retireOthers(kekId),
    close() {
      inner.close();
      shredKeys.close();
    },
  };
}

function seal(key: Buffer, wrapped: Buffer, context: EncryptionContext): Buffer {
  const nonce = randomBytes(TAG_AT - NONCE_AT);
  const cipher = createCipheriv(CIPHER, key, nonce).setAAD(additionalData(context));
  const ciphertext = Buffer.concat([cipher.update(wrapped), cipher.final()]);
  return Buffer.concat([MAGIC, nonce, cipher.getAuthTag(), ciphertext]);
}

function open(key: Buffer, bytes: Buffer, context: EncryptionContext): Buffer {
  if (bytes.length <= INNER_AT) throw unreadableSecret();
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(NONCE_AT, TAG_AT), { authTagLength: INNER_AT - TAG_AT }).setAAD(additionalData(context));
  decipher.setAuthTag(bytes.subarray(TAG_AT, INNER_AT));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(INNER_AT)), decipher.final()]);
  } catch {
    // altered, in another's place, or under a shred key that was destroyed before this one was made
    throw unreadableSecret();
  }
}

/** The magic, then the members as JSON: they are names of ours, and one list has one text. */
const additionalData = (context: EncryptionContext): Buffer =>
  Buffer.concat([MAGIC, Buffer.from(JSON.stringify([context.tenant_id, context.purpose, context.data_key_version]))]);

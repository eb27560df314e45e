import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { keyEncryptionRefused, unreadableSecret } from './errors';
import { DATA_KEY_BYTES, type EncryptionContext, type KeyEncryption, type WrappedKey } from './key-encryption';
import { readOrCreateKeyFile } from './key-file';

const CIPHER = 'aes-256-gcm';
const FORMAT_VERSION = 1;
const NONCE_AT = 1;
const CIPHERTEXT_AT = NONCE_AT + 12;
const TAG_AT = CIPHERTEXT_AT + DATA_KEY_BYTES;
const WRAPPED_BYTES = TAG_AT + 16;

/**
 * Wraps data keys under a 256-bit key in a file, made on first use. For one machine: whoever reads the file reads everything. Wrapped:
 * version (1), nonce (12), ciphertext (32), tag (16). Nonces are random, good for 2^32 data keys.
 */
export function localKeyEncryption(options: { keyFile: string }): KeyEncryption {
  return localKeyEncryptionOf(readOrCreateKeyFile(options.keyFile));
}

/** As {@link localKeyEncryption}, with the key itself; `close` overwrites it. */
export function localKeyEncryptionOf(kek: Buffer): KeyEncryption {
  const kekId = `local:${createHmac('sha256', kek).update('weir/local-kek-id').digest('hex').slice(0, 16)}`;
  let closed = false;
  const requireUsable = (named: string) => {
    if (closed) throw keyEncryptionRefused(new Error('the local key-encryption key is closed'));
    if (named !== kekId) throw keyEncryptionRefused(new Error(`wrapped under ${named}, but the key file holds ${kekId}`));
  };

  return {
    name: 'local',
    async generateDataKey(context) {
      requireUsable(kekId);
      const plaintext = randomBytes(DATA_KEY_BYTES);
      return { plaintext, wrapped: wrap(kek, plaintext, context), kekId };
    },
    async unwrap(key: WrappedKey, context) {
      requireUsable(key.kekId);
      return unwrap(kek, key.wrapped, context);
    },
    close() {
      closed = true;
      kek.fill(0);
    },
  };
}

function wrap(kek: Buffer, plaintext: Buffer, context: EncryptionContext): Buffer {
  const nonce = randomBytes(CIPHERTEXT_AT - NONCE_AT);
  const cipher = createCipheriv(CIPHER, kek, nonce).setAAD(additionalData(context));
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  return Buffer.concat([Buffer.of(FORMAT_VERSION), nonce, ciphertext, cipher.getAuthTag()]);
}

function unwrap(kek: Buffer, wrapped: Buffer, context: EncryptionContext): Buffer {
  if (wrapped.length !== WRAPPED_BYTES || wrapped[0] !== FORMAT_VERSION) throw unreadableSecret();
  const decipher = createDecipheriv(CIPHER, kek, wrapped.subarray(NONCE_AT, CIPHERTEXT_AT)).setAAD(additionalData(context));
  decipher.setAuthTag(wrapped.subarray(TAG_AT));
  const plaintext = decipher.update(wrapped.subarray(CIPHERTEXT_AT, TAG_AT));
  try {
    decipher.final();
    return plaintext;
  } catch {
    plaintext.fill(0);
    throw unreadableSecret();
  }
}

/** The version, then each field behind its length in bytes (two, big endian), so that no two contexts share their bytes. */
function additionalData(context: EncryptionContext): Buffer {
  const fields = [context.tenant_id, context.purpose, context.data_key_version].flatMap((text) => {
    const bytes = Buffer.from(text, 'utf8');
    const length = Buffer.allocUnsafe(2);
    length.writeUInt16BE(bytes.length);
    return [length, bytes];
  });
  return Buffer.concat([Buffer.of(FORMAT_VERSION), ...fields]);
}

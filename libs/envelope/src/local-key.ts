import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { keyEncryptionRefused, unreadableSecret } from './errors';
import { DATA_KEY_BYTES, type EncryptionContext, type KeyEncryption, type WrappedKey } from './key-encryption';
import { addToKeyFile, keyFileStamp, readOrCreateKeyFile, removeFromKeyFile } from './key-file';

const CIPHER = 'aes-256-gcm';
const FORMAT_VERSION = 1;
const NONCE_AT = 1;
const CIPHERTEXT_AT = NONCE_AT + 12;
const TAG_AT = CIPHERTEXT_AT + DATA_KEY_BYTES;
const WRAPPED_BYTES = TAG_AT + 16;

/** Where the key-encryption keys come from. */
interface KeySource {
  /** The one that wraps first; the caller owns the buffers. */
  read(): Buffer[];
  /** Changes when `read` would answer something else. */
  stamp(): string;
  turnOver(label: string): void;
  retire(unwanted: (kek: Buffer) => boolean): void;
}

/**
 * Wraps data keys under a 256-bit key in a file, made on first use. For one machine: whoever reads the file reads everything. Wrapped:
 * version (1), nonce (12), ciphertext (32), tag (16). Nonces are random, good for 2^32 data keys. Older keys of the file unwrap still; what
 * another process changes in the file is noticed.
 */
export function localKeyEncryption({ keyFile }: { keyFile: string }): KeyEncryption {
  return over({
    read: () => readOrCreateKeyFile(keyFile).map(({ key }) => key),
    stamp: () => keyFileStamp(keyFile),
    turnOver: (label) => addToKeyFile(keyFile, label),
    retire: (unwanted) => removeFromKeyFile(keyFile, unwanted),
  });
}

/** As {@link localKeyEncryption}, with the key itself and that one for ever; `close` overwrites it. */
export function localKeyEncryptionOf(kek: Buffer): KeyEncryption {
  return over({ read: () => [kek], stamp: () => '', turnOver: () => undefined, retire: () => undefined });
}

const kekIdOf = (kek: Buffer): string => `local:${createHmac('sha256', kek).update('weir/local-kek-id').digest('hex').slice(0, 16)}`;

/** A data key in plaintext under a key in hand, which the caller keeps. */
export const wrapUnder = (kek: Buffer, plaintext: Buffer, context: EncryptionContext): WrappedKey => ({ kekId: kekIdOf(kek), wrapped: wrap(kek, plaintext, context) });

function over(source: KeySource): KeyEncryption {
  let keys = new Map(source.read().map((kek) => [kekIdOf(kek), kek]));
  let stamp = source.stamp();
  let closed = false;

  const reread = (): void => {
    if (closed) throw keyEncryptionRefused(new Error('the local key-encryption key is closed'));
    const now = source.stamp();
    if (now === stamp) return;
    const before = keys;
    keys = new Map(source.read().map((kek) => [kekIdOf(kek), kek]));
    stamp = now;
    for (const kek of before.values()) kek.fill(0);
  };
  const current = (): [string, Buffer] => {
    reread();
    const [first] = keys;
    if (first === undefined) throw keyEncryptionRefused(new Error('the key file holds no key'));
    return first;
  };
  const named = (kekId: string): Buffer => {
    if (!keys.has(kekId)) reread();
    const kek = closed ? undefined : keys.get(kekId);
    if (kek === undefined) throw keyEncryptionRefused(new Error(`wrapped under ${kekId}, which the key file does not hold`));
    return kek;
  };
  const wrapping = (under: string | undefined): [string, Buffer] => (under === undefined ? current() : [under, named(under)]);

  return {
    name: 'local',
    async generateDataKey(context, under) {
      const [kekId, kek] = wrapping(under);
      const plaintext = randomBytes(DATA_KEY_BYTES);
      return { plaintext, wrapped: wrap(kek, plaintext, context), kekId };
    },
    async unwrap(key: WrappedKey, context) {
      return unwrap(named(key.kekId), key.wrapped, context);
    },
    async rewrap(key, context, to = {}) {
      const [kekId, kek] = wrapping(to.under);
      const plaintext = unwrap(named(key.kekId), key.wrapped, context);
      const wrapped = wrap(kek, plaintext, to.context ?? context);
      plaintext.fill(0);
      return { kekId, wrapped };
    },
    currentKekId: async () => current()[0],
    async turnOver(label) {
      current();
      source.turnOver(label);
      return current()[0];
    },
    async retireOthers(kekId) {
      // turned over again meanwhile: that rotation's end retires this one too
      if (current()[0] !== kekId) return;
      source.retire((kek) => kekIdOf(kek) !== kekId);
      reread();
    },
    close() {
      closed = true;
      for (const kek of keys.values()) kek.fill(0);
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

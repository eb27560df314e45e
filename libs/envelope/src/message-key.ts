import { createCipheriv, createDecipheriv, hkdfSync, timingSafeEqual } from 'node:crypto';
import { encodeSealed, type SealedParts } from './sealed-secret';

/**
 * AES-256-GCM alone does not commit to its key: a ciphertext can be made that opens, to different texts, under two keys. Hence the
 * commitment: 32 bytes that follow from data key, salt and context, compared before anything is decrypted.
 */
export interface MessageKey {
  readonly key: Buffer;
  readonly commitment: Buffer;
}

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const COMMITMENT_BYTES = 32;
const TAG_BYTES = 16;

/** HKDF-SHA256 (RFC 5869): the first 32 bytes encrypt, the next 32 are public and commit to them. */
export function deriveMessageKey(dataKey: Buffer, salt: Buffer, context: Buffer): MessageKey {
  const okm = Buffer.from(hkdfSync('sha256', dataKey, salt, context, KEY_BYTES + COMMITMENT_BYTES));
  return { key: okm.subarray(0, KEY_BYTES), commitment: okm.subarray(KEY_BYTES) };
}

export function wipeMessageKey({ key, commitment }: MessageKey): void {
  key.fill(0);
  commitment.fill(0);
}

/** The sealed bytes. Salt and nonce are never used twice: the salt makes the key new, so the nonce has no count to run out of. */
export function sealMessage(
  { key, commitment }: MessageKey,
  message: { plaintext: Buffer; context: Buffer; dataKeyVersion: number; salt: Buffer; nonce: Buffer },
): Buffer {
  const { plaintext, context, dataKeyVersion, salt, nonce } = message;
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(context);
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  return encodeSealed({ dataKeyVersion, salt, nonce, commitment, tag: cipher.getAuthTag(), ciphertext });
}

/** The plaintext, or undefined when commitment or tag do not fit. */
export function openMessage({ key, commitment }: MessageKey, sealed: SealedParts, context: Buffer): Buffer | undefined {
  if (!timingSafeEqual(commitment, sealed.commitment)) return undefined;
  const decipher = createDecipheriv(CIPHER, key, sealed.nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(context);
  decipher.setAuthTag(sealed.tag);
  const plaintext = decipher.update(sealed.ciphertext);
  try {
    decipher.final();
    return plaintext;
  } catch {
    // the text of a forged message is nobody's to read
    plaintext.fill(0);
    return undefined;
  }
}

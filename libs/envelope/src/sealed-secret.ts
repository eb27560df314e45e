import type { TenantId } from '@weir/kernel';

/** Whose secret it is and which; authenticated with the ciphertext, so that a sealed secret opens in its own place alone. */
export interface SecretContext {
  readonly tenantId: TenantId;
  readonly keyId: string;
  /** Of the secret: 1 and up, below 2^32. */
  readonly version: number;
  readonly purpose: string;
}

export interface SealedParts {
  readonly dataKeyVersion: number;
  readonly salt: Buffer;
  readonly nonce: Buffer;
  readonly commitment: Buffer;
  readonly tag: Buffer;
  readonly ciphertext: Buffer;
}

// The format to the byte, with vectors: docs/envelope-format.md
const MAGIC = 0x5753; // "WS"
const FORMAT_VERSION = 1;
const HEADER_BYTES = 7;
const SALT_AT = HEADER_BYTES;
const NONCE_AT = SALT_AT + 32;
const COMMITMENT_AT = NONCE_AT + 12;
const TAG_AT = COMMITMENT_AT + 32;
const CIPHERTEXT_AT = TAG_AT + 16;

export const SALT_BYTES = NONCE_AT - SALT_AT;
export const NONCE_BYTES = COMMITMENT_AT - NONCE_AT;
export const MAX_PLAINTEXT_BYTES = 65_536;

export const encodeSealed = (parts: SealedParts): Buffer =>
  Buffer.concat([header(parts.dataKeyVersion), parts.salt, parts.nonce, parts.commitment, parts.tag, parts.ciphertext]);

/** Views into `sealed`, not copies; undefined when its shape is wrong. */
export function parseSealed(sealed: Buffer): SealedParts | undefined {
  const plaintextBytes = sealed.length - CIPHERTEXT_AT;
  if (plaintextBytes < 1 || plaintextBytes > MAX_PLAINTEXT_BYTES) return undefined;
  if (sealed.readUInt16BE(0) !== MAGIC || sealed[2] !== FORMAT_VERSION) return undefined;
  return {
    dataKeyVersion: sealed.readUInt32BE(3),
    salt: sealed.subarray(SALT_AT, NONCE_AT),
    nonce: sealed.subarray(NONCE_AT, COMMITMENT_AT),
    commitment: sealed.subarray(COMMITMENT_AT, TAG_AT),
    tag: sealed.subarray(TAG_AT, CIPHERTEXT_AT),
    ciphertext: sealed.subarray(CIPHERTEXT_AT),
  };
}

/** Which version of the tenant's data key opens it; undefined when it is no sealed secret. */
export const dataKeyVersionOf = (sealed: Buffer): number | undefined => parseSealed(sealed)?.dataKeyVersion;

// Printable ASCII: one string has one encoding, and HKDF's info (1,024 bytes at most in OpenSSL) always has room for three.
const FIELD = /^[\x21-\x7e]{1,128}$/;
const isVersion = (n: number): boolean => Number.isInteger(n) && n >= 1 && n <= 0xffff_ffff;

/**
 * The bytes that bind a secret to its place: the sealed header, then each field behind its length. They are GCM's additional data
 * and HKDF's info at once. Undefined when a field cannot be encoded.
 */
export function contextBytes(context: SecretContext, dataKeyVersion: number): Buffer | undefined {
  const { tenantId, keyId, version, purpose } = context;
  if (![tenantId, keyId, purpose].every((text) => FIELD.test(text))) return undefined;
  if (!isVersion(version) || !isVersion(dataKeyVersion)) return undefined;
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + 4 + 3 + tenantId.length + keyId.length + purpose.length);
  let at = header(dataKeyVersion).copy(bytes);
  at = bytes.writeUInt32BE(version, at);
  for (const text of [tenantId, keyId, purpose]) {
    at = bytes.writeUInt8(text.length, at);
    at += bytes.write(text, at, 'latin1');
  }
  return bytes;
}

function header(dataKeyVersion: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES);
  bytes.writeUInt16BE(MAGIC, 0);
  bytes.writeUInt8(FORMAT_VERSION, 2);
  bytes.writeUInt32BE(dataKeyVersion, 3);
  return bytes;
}

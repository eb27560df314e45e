import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { newId, parseId, type TokenId } from '@weir/kernel';

/**
 * `weir_<live|test>_<id>_<secret><crc>`: the id is that of the token's record, the secret 256 random bits in base 62, the last six
 * characters the CRC-32 (IEEE) of all before them in base 62. A typo or a foreign token is refused without a look-up.
 */
export type TokenMode = 'live' | 'test';

export interface ParsedToken {
  readonly mode: TokenMode;
  readonly id: TokenId;
  /** SHA-256 of the secret, base64url. The secret has 256 random bits: a slow hash would buy nothing. */
  readonly secretHash: string;
}

export interface MintedToken extends ParsedToken {
  /** Shown once, kept nowhere. */
  readonly token: string;
}

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SECRET_LENGTH = 43;
const CRC_LENGTH = 6;
const FORM = /^weir_(live|test)_([0-9a-z]{26})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})$/;

export function mintToken(options: { mode: TokenMode; id?: TokenId; nowMs?: number }): MintedToken {
  const id = options.id ?? newId('tok', options.nowMs);
  const secret = base62(BigInt(`0x${randomBytes(32).toString('hex')}`), SECRET_LENGTH);
  const body = `weir_${options.mode}_${id.slice('tok_'.length)}_${secret}`;
  return { mode: options.mode, id, secretHash: hashSecret(secret), token: body + checksum(body) };
}

/** undefined for whatever is not a token of ours: wrong prefix, wrong form, wrong checksum. */
export function parseToken(text: string): ParsedToken | undefined {
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const [, mode, body, secret, crc] = match;
  if (checksum(text.slice(0, -CRC_LENGTH)) !== crc) return undefined;
  const id = parseId('tok', `tok_${body}`);
  return id === undefined ? undefined : { mode: mode as TokenMode, id, secretHash: hashSecret(secret ?? '') };
}

const checksum = (text: string): string => base62(BigInt(crc32(text)), CRC_LENGTH);
const hashSecret = (secret: string): string => createHash('sha256').update(secret).digest('base64url');

function base62(value: bigint, length: number): string {
  let text = '';
  for (let rest = value; rest > 0n; rest /= 62n) text = DIGITS.charAt(Number(rest % 62n)) + text;
  return text.padStart(length, '0');
}

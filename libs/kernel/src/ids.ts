import { createHash, randomFillSync } from 'node:crypto';

/**
 * Ids are `<prefix>_<26 characters>`: a UUIDv7 (RFC 9562) in Crockford's base 32, lower case, so that they sort by time, fit a
 * Postgres name and can be read aloud.
 */
export type Id<P extends string> = `${P}_${string}`;
export type TenantId = Id<'ten'>;
export type KeyId = Id<'key'>;
export type TokenId = Id<'tok'>;
export type PlanId = string & { readonly __plan?: never };
export type ProjectId = Id<'prj'>;
export type MemberId = Id<'mem'>;
export type OperationId = Id<'op'>;
export type RequestId = Id<'req'>;
export type Uuid = string & { readonly __uuid?: never };

/** The owner of what belongs to no tenant: plans, platform keys, learned ceilings (schema `weir_platform`). */
export const PLATFORM: TenantId = 'ten_platform';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const BODY = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/;

export function newUuid(nowMs: number = Date.now()): Uuid {
  return uuidText(uuidBytes(nowMs, randomTail()));
}

export function newId<P extends string>(prefix: P, nowMs: number = Date.now()): Id<P> {
  return `${prefix}_${base32(uuidBytes(nowMs, randomTail()))}`;
}

/** The id that a retried command makes again: its random part is the hash of `seed`, its time `nowMs` must be the command's. */
export function idFrom<P extends string>(prefix: P, seed: string, nowMs: number): Id<P> {
  return `${prefix}_${base32(uuidBytes(nowMs, digest(seed)))}`;
}

/** As {@link idFrom}, for event ids. */
export function uuidFrom(seed: string, nowMs: number): Uuid {
  return uuidText(uuidBytes(nowMs, digest(seed)));
}

/** The id when `text` is one with that prefix, else undefined: an id that cannot exist is simply not found. */
export function parseId<P extends string>(prefix: P, text: string): Id<P> | undefined {
  if (!text.startsWith(`${prefix}_`)) return undefined;
  return BODY.test(text.slice(prefix.length + 1)) ? (text as Id<P>) : undefined;
}

/** When the id was made, in ms since the epoch. */
export function idTimeMs(id: string): number {
  const body = id.slice(id.lastIndexOf('_') + 1);
  let high = 0;
  for (let i = 0; i < 10; i++) high = high * 32 + ALPHABET.indexOf(body[i] ?? '0');
  // ten characters hold the top 48 bits exactly: the first carries 3 bits, the others 5
  return high;
}

const TAIL_BYTES = 10;
const tails = Buffer.allocUnsafe(TAIL_BYTES * 256);
let nextTail = tails.length;

/** Drawn many at a time: asking the system for ten bytes costs more than all the rest of an id. Copied by whoever gets it. */
function randomTail(): Buffer {
  if (nextTail === tails.length) {
    randomFillSync(tails);
    nextTail = 0;
  }
  return tails.subarray(nextTail, (nextTail += TAIL_BYTES));
}

function uuidBytes(nowMs: number, tail: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(16);
  bytes.writeUIntBE(nowMs, 0, 6);
  tail.copy(bytes, 6, 0, 10);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}

function uuidText(bytes: Buffer): Uuid {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** 128 bits in 26 characters: two zero bits go before the first. */
function base32(bytes: Buffer): string {
  let text = '';
  let bits = 2;
  let rest = 0;
  for (const byte of bytes) {
    rest = (rest << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[(rest >> (bits - 5)) & 31];
    rest &= (1 << bits) - 1;
  }
  return text;
}

const digest = (seed: string): Buffer => createHash('sha256').update(seed).digest();

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
  return uuidText(uuidBytes(nowMs, tails, nextRandomTail()));
}

export function newId<P extends string>(prefix: P, nowMs: number = Date.now()): Id<P> {
  return idText(prefix, uuidBytes(nowMs, tails, nextRandomTail()));
}

/** The id that a retried command makes again: its random part is the hash of `seed`, its time `nowMs` must be the command's. */
export function idFrom<P extends string>(prefix: P, seed: string, nowMs: number): Id<P> {
  return idText(prefix, uuidBytes(nowMs, digest(seed), 0));
}

/** As {@link idFrom}, for event ids. */
export function uuidFrom(seed: string, nowMs: number): Uuid {
  return uuidText(uuidBytes(nowMs, digest(seed), 0));
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

/** Where the next one stands in `tails`. Drawn many at a time: asking the system for ten bytes costs more than all the rest of an id. */
function nextRandomTail(): number {
  if (nextTail === tails.length) {
    randomFillSync(tails);
    nextTail = 0;
  }
  const at = nextTail;
  nextTail += TAIL_BYTES;
  return at;
}

/** Of the id that is being made: no id takes memory of its own. */
const bytes = new Uint8Array(16);
const ascii = Buffer.alloc(64);

function uuidBytes(nowMs: number, tail: Uint8Array, at: number): Uint8Array {
  const high = Math.floor(nowMs / 0x1_0000);
  bytes[0] = high >>> 24;
  bytes[1] = high >>> 16;
  bytes[2] = high >>> 8;
  bytes[3] = high;
  bytes[4] = (nowMs & 0xffff) >>> 8;
  bytes[5] = nowMs;
  for (let i = 0; i < TAIL_BYTES; i++) bytes[6 + i] = tail[at + i] ?? 0;
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}

const HEX = Buffer.from('0123456789abcdef');
const BASE32 = Buffer.from(ALPHABET);
const DASH = 0x2d;

function uuidText(of: Uint8Array): Uuid {
  let end = 0;
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) ascii[end++] = DASH;
    const byte = of[i] ?? 0;
    ascii[end++] = HEX[byte >> 4] ?? 0;
    ascii[end++] = HEX[byte & 15] ?? 0;
  }
  return ascii.toString('latin1', 0, end);
}

/** 128 bits in 26 characters: two zero bits go before the first. */
function idText<P extends string>(prefix: P, of: Uint8Array): Id<P> {
  let end = 0;
  let bits = 2;
  let rest = 0;
  for (let i = 0; i < 16; i++) {
    rest = (rest << 8) | (of[i] ?? 0);
    for (bits += 8; bits >= 5; bits -= 5) ascii[end++] = BASE32[(rest >> (bits - 5)) & 31] ?? 0;
    rest &= (1 << bits) - 1;
  }
  return `${prefix}_${ascii.toString('latin1', 0, end)}`;
}

const digest = (seed: string): Buffer => createHash('sha256').update(seed).digest();

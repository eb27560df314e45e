import { hash32 } from './seeded';

/**
 * Numeric ids and user names, each to be had from the other without a memory, so that `/userid/`, `/user-posts/` and a follower list
 * tell of the same person whatever was asked before.
 *
 * A name of up to twelve characters is a number in base 38, scattered over 19 digits by a multiplication that can be undone. Longer
 * names are hashed to ids of 20 digits: their numbers agree everywhere, only the name cannot be had back from the id.
 */
const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789_.';
const BASE = BigInt(LETTERS.length);
const REVERSIBLE = 12;
const MODULUS = 10n ** 19n;
const FACTOR = 6_364_136_223_846_793_007n;
const INVERSE = inverse(FACTOR, MODULUS);

/** The id in the upstream's own example. */
const KNOWN: ReadonlyMap<string, string> = new Map([['tiktok', '107955']]);
const KNOWN_IDS: ReadonlyMap<string, string> = new Map([...KNOWN].map(([name, id]) => [id, name]));

/** Ids that begin so, with 20 digits, belong to long names of users that do not exist. */
const NOBODY_DIGIT = '9';

export const existsByName = (name: string): boolean => !name.startsWith('nobody');

export function existsById(id: string): boolean {
  if (id.length === 20) return !id.startsWith(NOBODY_DIGIT);
  const name = nameOf(id);
  return name === undefined || existsByName(name);
}

/** @param name lower case, without its @ */
export function idOf(name: string): string {
  const known = KNOWN.get(name);
  if (known !== undefined) return known;
  if (name.length <= REVERSIBLE) return String((number(name) * FACTOR) % MODULUS);
  const tail = `${hash32(name)}${hash32(`${name}/2`)}`.padEnd(19, '0').slice(0, 19);
  return `${existsByName(name) ? '1' : NOBODY_DIGIT}${tail}`;
}

/** The name behind an id, or undefined where none of up to twelve characters is. */
export function nameOf(id: string): string | undefined {
  const known = KNOWN_IDS.get(id);
  if (known !== undefined) return known;
  if (id.length > 19 || (id.length > 1 && id.startsWith('0'))) return undefined;
  let rest = (BigInt(id) * INVERSE) % MODULUS;
  let name = '';
  while (rest > 0n && name.length <= REVERSIBLE) {
    rest -= 1n;
    name = LETTERS.charAt(Number(rest % BASE)) + name;
    rest /= BASE;
  }
  return name.length === 0 || name.length > REVERSIBLE ? undefined : name;
}

/** Bijective: every text of one or more letters is one positive number. */
function number(name: string): bigint {
  let value = 0n;
  for (const letter of name) value = value * BASE + BigInt(LETTERS.indexOf(letter) + 1);
  return value;
}

function inverse(a: bigint, m: bigint): bigint {
  let [r, next, x, nextX] = [a, m, 1n, 0n];
  while (next !== 0n) {
    const q = r / next;
    [r, next] = [next, r - q * next];
    [x, nextX] = [nextX, x - q * nextX];
  }
  return ((x % m) + m) % m;
}

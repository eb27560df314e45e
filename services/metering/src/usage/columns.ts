import { utcDay } from '@weir/kernel';
import type { Entry } from './entry';

type Column<T> = readonly [name: string, type: string, of: (entry: Entry, now: number) => T];

const HOUR_MS = 3_600_000;
/** A clock that is ahead by more does not put usage into hours that have not come. */
const CLOCK_SLACK_MS = HOUR_MS;

const attemptOf = (entry: Entry) => (entry.kind === 'served' ? undefined : entry);

/** What each record has for itself. */
const OWN: readonly Column<string | number>[] = [
  ['event_id', 'uuid', (e) => e.eventId],
  ['request_id', 'text', (e) => e.requestId],
  ['attempt', 'int', (e) => attemptOf(e)?.attempt ?? 0],
  ['at', 'bigint', (e) => e.at],
  ['upstream_credits', 'bigint', (e) => e.upstreamCredits],
  ['charged_credits', 'bigint', (e) => e.chargedCredits],
];

/** What thousands of records share: a batch has few kinds of them, so that each is sent once and records name it by its number. */
const SHARED: readonly Column<string | number>[] = [
  ['kind', 'text', (e) => e.kind],
  // those in which it happened
  ['day', 'date', (e, now) => dayOf(bookable(e.at, now))],
  ['hour', 'smallint', (e, now) => hourOf(bookable(e.at, now))],
  ['mode', 'text', (e) => e.mode],
  ['endpoint', 'text', (e) => e.endpoint],
  ['project_id', 'text', (e) => e.projectId ?? ''],
  ['token_id', 'text', (e) => e.tokenId ?? ''],
  ['price_version', 'text', (e) => e.priceVersion],
  ['purpose', 'text', (e) => attemptOf(e)?.purpose ?? ''],
  ['key_owner', 'text', (e) => e.keyOwner],
  ['key_id', 'text', (e) => attemptOf(e)?.keyId ?? ''],
  ['key_version', 'int', (e) => attemptOf(e)?.keyVersion ?? 0],
  ['key_mode', 'text', (e) => e.keyMode],
  ['cache', 'text', (e) => (e.kind === 'served' ? e.cache : 'miss')],
  ['status', 'int', statusOf],
  ['difference', 'text', differenceOf],
];

const arrays = (columns: readonly Column<unknown>[], first: number) => columns.map(([, type], index) => `$${index + first}::${type}[]`).join(', ');
const names = (columns: readonly Column<unknown>[]) => columns.map(([name]) => name);

export const OWN_NAMES = names(OWN);
export const SHARED_NAMES = names(SHARED);
/** Arguments of `unnest`: the records, the last of them the number of what they share; and what is shared. */
export const recordArrays = (first: number) => `${arrays(OWN, first)}, $${first + OWN.length}::int[]`;
export const sharedArrays = (first: number) => arrays(SHARED, first + OWN.length + 1);

/** Values of {@link recordArrays} and {@link sharedArrays}. */
export function columnsOf(entries: readonly Entry[], now: number): unknown[][] {
  const numbers = new Map<string, number>();
  const shared: Entry[] = [];
  const shapes = entries.map((entry) => {
    const shape = SHARED.map(([, , of]) => of(entry, now)).join('\n');
    let number = numbers.get(shape);
    if (number === undefined) {
      numbers.set(shape, (number = numbers.size + 1));
      shared.push(entry);
    }
    return number;
  });
  return [...OWN.map(([, , of]) => entries.map((entry) => of(entry, now))), shapes, ...SHARED.map(([, , of]) => shared.map((entry) => of(entry, now)))];
}

export const hourOf = (ms: number): number => Math.floor(ms / HOUR_MS) % 24;

const bookable = (at: number, now: number): number => (at > now + CLOCK_SLACK_MS ? now : at);

const DAY_MS = 24 * HOUR_MS;
let lastDay: readonly [number: number, text: string] = [NaN, ''];

/** Records of a batch are mostly of one day. */
function dayOf(ms: number): string {
  const day = Math.floor(ms / DAY_MS);
  if (day !== lastDay[0]) lastDay = [day, utcDay(ms)];
  return lastDay[1];
}

function statusOf(entry: Entry): number {
  if (entry.kind === 'settled') return entry.upstreamStatus ?? 0;
  return entry.kind === 'taken' ? entry.status : 0;
}

function differenceOf(entry: Entry): string {
  switch (entry.kind) {
    case 'settled':
      return entry.difference ?? '';
    case 'unsettled':
    case 'taken':
      return 'unsettled';
    default:
      return '';
  }
}

import { utcDay } from '@weir/kernel';
import { boolArray, int4Array, int8Array, textArray, uuidArray } from '@weir/tenancy';
import { rankOf } from './attempt-state';
import type { Entry } from './entry';

const HOUR_MS = 3_600_000;
/** A clock that is ahead by more does not put usage into hours that have not come. */
const CLOCK_SLACK_MS = HOUR_MS;

const attemptOf = (entry: Entry) => (entry.kind === 'served' ? undefined : entry);

type Column = readonly [name: string, type: string, of: (entry: Entry, now: number) => string | number];

/** What thousands of records share: a batch has few kinds of them, so that each is sent once and records name it by its number. */
const SHARED: readonly Column[] = [
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

export const SHARED_NAMES = SHARED.map(([name]) => name);
/** What each record has for itself, or with the others of its attempt. */
export const OWN_NAMES = ['event_id', 'request_id', 'attempt', 'at', 'upstream_credits', 'charged_credits'] as const;

const RECORD_TYPES = ['uuid', 'bigint', 'bigint', 'bigint', 'int', 'int', 'bool'];
const ATTEMPT_TYPES = ['text', 'int'];
const arrays = (types: readonly string[], first: number) => types.map((type, index) => `$${first + index}::${type}[]`).join(', ');

/**
 * Arguments of `unnest`, from parameter `first` on. Records name their attempt and what they share by its place, from 1; the one that
 * decides where its attempt stands, of those of the batch, `leads`.
 */
export const unnested = (first: number) => ({
  /** event_id, at, upstream_credits, charged_credits, attempt_number, shape_number, leads */
  records: arrays(RECORD_TYPES, first),
  /** request_id, attempt; attempt 0 is a call that needed none */
  attempts: arrays(ATTEMPT_TYPES, first + RECORD_TYPES.length),
  shapes: arrays(SHARED.map(([, type]) => type), first + RECORD_TYPES.length + ATTEMPT_TYPES.length),
});

/** Values of {@link unnested}. */
export function columnsOf(entries: readonly Entry[], now: number): unknown[] {
  const shapes = new Numbered<Entry>();
  const attempts = new Numbered<{ requestId: string; attempt: number; leader: Entry }>();
  const shapeNumbers = entries.map((entry) => shapes.numberOf(SHARED.map(([, , of]) => of(entry, now)).join('\n'), () => entry));
  const attemptNumbers = entries.map((entry) => {
    const attempt = attemptOf(entry)?.attempt ?? 0;
    return attempts.numberOf(`${entry.requestId}/${attempt}`, () => ({ requestId: entry.requestId, attempt, leader: entry }), (known) => {
      if (leads(entry, known.leader)) known.leader = entry;
    });
  });
  return [
    uuidArray(entries.map(({ eventId }) => eventId)),
    int8Array(entries.map(({ at }) => at)),
    int8Array(entries.map(({ upstreamCredits }) => upstreamCredits)),
    int8Array(entries.map(({ chargedCredits }) => chargedCredits)),
    int4Array(attemptNumbers),
    int4Array(shapeNumbers),
    boolArray(entries.map((entry, index) => entry.kind !== 'served' && attempts.all[(attemptNumbers[index] as number) - 1]?.leader === entry)),
    textArray(attempts.all.map(({ requestId }) => requestId)),
    int4Array(attempts.all.map(({ attempt }) => attempt)),
    ...SHARED.map(([, , of]) => shapes.all.map((entry) => of(entry, now))),
  ];
}

/** Of two that say the same of an attempt, the first one. */
function leads(entry: Entry, other: Entry): boolean {
  const [one, two] = [rankOf(entry), rankOf(other)];
  return one > two || (one === two && entry.eventId < other.eventId);
}

/** Things by the order in which their names came first, from 1. */
class Numbered<T> {
  readonly all: T[] = [];
  private readonly numbers = new Map<string, number>();

  numberOf(name: string, first: () => T, again?: (thing: T) => void): number {
    const number = this.numbers.get(name);
    if (number !== undefined) {
      again?.(this.all[number - 1] as T);
      return number;
    }
    this.numbers.set(name, this.all.push(first()));
    return this.all.length;
  }
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

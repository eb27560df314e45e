import type { BusRecord } from '@weir/bus';
import { usage, type Usage, type UsageOf } from '@weir/contracts';
import { uuidFrom } from '@weir/kernel';
import { malformedUsage, usageTooOld } from '../errors';
import { timeOf } from './event-time';
import type { KeptMonths } from './kept-months';

type OfHold<K extends string> = Omit<UsageOf<'held'>, 'kind'> & { readonly kind: K };

/** A hold that nobody settled in time: the upstream may have taken its credits. Metering's own record, of the hold's time. */
export type Unsettled = OfHold<'unsettled'>;

/** What the upstream's own account says of such a hold. A settlement that comes after all still outweighs it. */
export type Found = OfHold<'taken' | 'not-taken'> & { readonly status: number };

/** What is counted: the records of the bus, and what metering finds itself. */
export type Entry = Usage | Unsettled | Found;

/** @throws AppError `malformed-usage`, `usage-too-old`, which park the record */
export function readUsage(record: BusRecord, kept: KeptMonths): Usage {
  const read = parse(record);
  if (!kept.holds(timeOf(read.eventId))) throw usageTooOld(read.eventId, kept.from());
  return read;
}

function parse(record: BusRecord): Usage {
  try {
    return usage.schema.parse(JSON.parse(record.value?.toString('utf8') ?? 'null'));
  } catch (error) {
    throw malformedUsage(record.offset, error);
  }
}

/** The id comes from the attempt's, so that two jobs which find the same hold write one record. */
export const unsettledOf = (held: UsageOf<'held'>): Unsettled => ({ ...held, kind: 'unsettled', eventId: idOf('unsettled', held), chargedCredits: 0 });

/** @param line what the upstream's account lists of the attempt; undefined: it lists nothing */
export const foundOf = (held: UsageOf<'held'>, line: { readonly credits: number; readonly status: number } | undefined): Found => {
  const kind = line === undefined ? 'not-taken' : 'taken';
  return { ...held, kind, eventId: idOf(kind, held), upstreamCredits: line?.credits ?? 0, chargedCredits: 0, status: line?.status ?? 0 };
};

const idOf = (kind: Entry['kind'], { tenantId, requestId, attempt, at }: UsageOf<'held'>) => uuidFrom(`${kind}/${tenantId}/${requestId}/${attempt}`, at);

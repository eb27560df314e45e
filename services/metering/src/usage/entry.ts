import type { BusRecord } from '@weir/bus';
import { usage, type Usage, type UsageOf } from '@weir/contracts';
import { utcDay, uuidFrom } from '@weir/kernel';
import { malformedUsage, usageTooOld } from '../errors';
import { timeOf } from './event-time';

type OfHold<K extends string> = Omit<UsageOf<'held'>, 'kind'> & { readonly kind: K };

/** A hold that nobody settled in time: the upstream may have taken its credits. Metering's own record, of the hold's time. */
export type Unsettled = OfHold<'unsettled'>;

/** What the upstream's own account says of such a hold. A settlement that comes after all still outweighs it. */
export type Found = OfHold<'taken' | 'not-taken'> & { readonly status: number };

/** What is counted: the records of the bus, and what metering finds itself. */
export type Entry = Usage | Unsettled | Found;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * @param leastId of those that are counted: ids are UUIDv7, so that their order is that of time
 * @throws AppError `malformed-usage`, `usage-too-old`, which park the record
 */
export function readUsage(record: BusRecord, leastId: string): Usage {
  const read = parse(record);
  if (read.eventId < leastId) throw usageTooOld(read.eventId, utcDay(timeOf(leastId)));
  return read;
}

function parse(record: BusRecord): Usage {
  try {
    const read = usage.schema.parse(JSON.parse(record.value?.toString('utf8') ?? 'null'));
    if (!UUID.test(read.eventId)) throw new TypeError(`${read.eventId} is no UUID`);
    return read;
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

import type { BusRecord } from '@weir/bus';
import { usage, type Usage, type UsageOf } from '@weir/contracts';
import { uuidFrom } from '@weir/kernel';
import { malformedUsage } from '../errors';

/** A hold that nobody settled in time: the upstream may have taken its credits. Metering's own record, of the hold's day. */
export type Unsettled = Omit<UsageOf<'held'>, 'kind'> & { readonly kind: 'unsettled' };

/** What is counted: the records of the bus, and what metering finds itself. */
export type Entry = Usage | Unsettled;

/** @throws AppError `malformed-usage`, which parks the record */
export function readUsage(record: BusRecord): Usage {
  try {
    return usage.schema.parse(JSON.parse(record.value?.toString('utf8') ?? 'null'));
  } catch (error) {
    throw malformedUsage(record.offset, error);
  }
}

/** The id comes from the attempt's, so that two jobs which find the same hold write one record. */
export const unsettledOf = (held: UsageOf<'held'>): Unsettled => ({
  ...held,
  kind: 'unsettled',
  eventId: uuidFrom(`unsettled/${held.tenantId}/${held.requestId}/${held.attempt}`, held.at),
  chargedCredits: 0,
});

import { fromRecord, type BusRecord, type CloudEvent } from '@weir/bus';
import { TOPICS } from '@weir/contracts';
import { AppError } from '@weir/kernel';

/** Every topic with events of logs. */
export const EVENT_TOPICS = TOPICS.map(({ name }) => name).filter((name) => name.endsWith('.events'));

/** @throws AppError `not-an-event` for a record that no log can have brought forth */
export function eventOf(record: BusRecord): CloudEvent {
  const event = fromRecord(record);
  if (event === undefined || event.position < 1 || event.tenantId === '')
    throw new AppError('not-an-event', 'invalid', 'The record is no event of a log.');
  return event;
}

export { append, eventLog, publishStates, readEvents } from './event-log';
export type { Append, Appended, Decided, Decision, EventLog, Expected, StateChange } from './event-log';
export { EVENT_COLUMNS, toEvent, type EventRow } from './event';
export { startRelay, stateRecord, type Relay, type RelayOptions } from './relay';

export { append, publishStates, type Append, type Appended, type Expected, type StateChange } from './append';
export { eventLog, readEvents, type Decided, type Decision, type EventLog } from './event-log';
export { EVENT_COLUMNS, toEvent, type EventRow } from './event';
export { readStreams, type StreamEvent } from './streams';
export { projection, type Projection, type ProjectionDefinition } from './projection';

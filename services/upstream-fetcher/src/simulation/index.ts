export { nothingShown } from '../call/answer';
export type { Caller } from '../call/access';
export { troubleOf } from '../jobs/item-outcome';
export { checkItems, type JobItem } from '../jobs/job-form';
export type { Backlog, Quote } from '../jobs/quote';
export { openSimulatedPath, type SimulatedPath, type SimulatedPathOptions } from './simulated-path';

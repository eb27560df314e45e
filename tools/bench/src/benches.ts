import type { Bench } from './bench';
import { eventStore } from './event-store/event-store';

/** Every bench there is, in the order in which they are listed. */
export const BENCHES: readonly Bench[] = [eventStore];

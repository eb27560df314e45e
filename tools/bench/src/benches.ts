import type { Bench } from './bench';
import { bus } from './bus/bus';
import { eventStore } from './event-store/event-store';
import { metering } from './metering/metering';
import { tenancy } from './tenancy/tenancy';
import { vault } from './vault/vault';

/** Every bench there is, in the order in which they are listed. */
export const BENCHES: readonly Bench[] = [bus, eventStore, metering, tenancy, vault];

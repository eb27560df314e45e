import type { Bench } from './bench';
import { audit } from './audit/audit';
import { bus } from './bus/bus';
import { dataPlane } from './data-plane/data-plane';
import { eventStore } from './event-store/event-store';
import { limiter } from './limiter/limiter';
import { metering } from './metering/metering';
import { reference200 } from './reference-200/reference-200';
import { tenancy } from './tenancy/tenancy';
import { vault } from './vault/vault';

/** Every bench there is, in the order in which they are listed. */
export const BENCHES: readonly Bench[] = [audit, bus, dataPlane, eventStore, limiter, metering, reference200, tenancy, vault];

import type { Scenario } from './scenario';
import { brokers } from './brokers/brokers';
import { conflicts } from './conflicts/conflicts';
import { tenancy } from './tenancy/tenancy';
import { vault } from './vault/vault';

/** Every scenario there is, in the order in which they are listed. */
export const SCENARIOS: readonly Scenario[] = [brokers, conflicts, tenancy, vault];

import type { Scenario } from './scenario';
import { tenancy } from './tenancy/tenancy';

/** Every scenario there is, in the order in which they are listed. */
export const SCENARIOS: readonly Scenario[] = [tenancy];

export { startSimulator, type Simulator, type SimulatorOptions } from './simulator';
export { TEST_KEY, type Key, type NewKey } from './keys';
export { type LedgerEntry, type Total } from './ledger';
export { type Fault, type ListedFault, type NewFault } from './faults';

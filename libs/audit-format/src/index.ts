export { chainStart, contentDigest, contentHash, examine, follow, genesis, type Break, type BreakKind, type ChainState, type Content, type Link } from './chain';
export type { StoredEvent } from './event';
export { eventJson } from './event-json';
export { firstDisagreement, firstFinding, type Evidence, type Finding, type LogHead, type WitnessedHead } from './verdict';
export { FORMAT, FORMAT_VERSION, type Manifest } from './manifest';
export { eventLines, writeExport, type Origin } from './write-export';
export { verifyExport, type Expectation, type ExportFinding, type ExportVerdict } from './verify-export';

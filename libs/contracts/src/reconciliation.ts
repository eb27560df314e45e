import { z } from 'zod';
import { event, type FactOf } from './contract';
import { count, oneOf, text, timestamp } from './fields';
import { plain } from './privacy';
import { eventsTopic } from './topics';

const topic = eventsTopic('billing');

export const holdDecided = event(topic, 'usage.hold-decided', 'A hold that nobody settled is decided by the upstream’s own account: it took the credits, or it did not.', {
  requestId: text(),
  attempt: count(),
  keyId: text(),
  decision: oneOf('taken', 'not-taken'),
  upstreamCredits: count(),
  /** Whose account, and which line of it; null: it has none. */
  source: text(),
  line: plain(z.number().int().nonnegative().nullable()),
  heldAt: timestamp(),
});

export const discrepancyFound = event(topic, 'usage.discrepancy-found', 'Our records and the upstream’s account differ in something that nobody can decide by itself.', {
  class: oneOf('not-listed', 'credits-differ', 'listed-twice', 'released-but-taken', 'unknown-attempt', 'sum-differs'),
  requestId: text(),
  attempt: count(),
  keyId: text(),
  ourCredits: count(),
  upstreamCredits: count(),
  source: text(),
  explanation: text(),
});

export const usageDriftFound = event(topic, 'usage.drift-found', 'Sums of usage are not what its records add up to.', {
  /** UTC day from which on both were compared. */
  from: text(),
  rows: count(),
  tables: z.array(text()),
});

export const usageRebuilt = event(topic, 'usage.rebuilt', 'Sums of usage were made anew from its records.', { from: text(), rows: count() });

export type ReconciliationEvent = FactOf<typeof holdDecided | typeof discrepancyFound | typeof usageDriftFound | typeof usageRebuilt>;

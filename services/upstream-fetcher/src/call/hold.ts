import type { Clock } from '@weir/kernel';
import type { Journal } from '../usage/journal';
import { usageRecord } from '../usage/records';
import { usageOfAttempt, type Attempt } from './attempt';
import { released } from './fate';

/**
 * Step 7: what the attempt will cost at most, acknowledged by the bus before the call leaves. Whatever dies after that, the credit has a
 * trace. A hold that came too late is released: nothing was sent under it.
 *
 * @throws AppError `not-accountable` (503)
 */
export function hold(journal: Journal, clock: Clock, attempt: Attempt): Promise<void> {
  const { credits } = attempt.call.endpoint;
  const record = usageRecord({
    kind: 'held',
    ...usageOfAttempt(attempt, clock()),
    upstreamCredits: credits,
    chargedCredits: credits,
  });
  return journal.hold(record, () => released(attempt, clock()));
}

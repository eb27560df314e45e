import type { Clock } from '@weir/kernel';
import type { Journal } from '../usage/journal';
import { usageRecord } from '../usage/records';
import type { Attempt } from './attempt';
import { Held, released } from './fate';

/**
 * Step 7: what the attempt will cost at most, acknowledged by the bus before the call leaves. Whatever dies after that, the credit has a
 * trace. A hold that came too late is released: nothing was sent under it.
 *
 * @throws AppError `not-accountable` (503)
 */
export function hold(journal: Journal, clock: Clock, attempt: Attempt): Promise<void> {
  return journal.hold(usageRecord(new Held(attempt, clock())), () => released(attempt, clock()));
}

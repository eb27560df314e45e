import { Cron } from 'croner';
import { invalid } from '@weir/kernel';

const SOONEST_MS = 15 * 60_000;
const LOOKED_AT = 60;

/** The next time after an instant by a cron expression of five fields; undefined: never again. All in ms since the epoch. */
export function nextTime(cron: string, timezone: string, after: number): number | undefined {
  return parsed(cron, timezone).nextRun(new Date(after))?.getTime();
}

/**
 * @throws AppError `invalid-request` for an expression that nobody can read, that comes more often than every 15 minutes, or never
 */
export function assertCron(cron: string, timezone: string, now: number): void {
  const times = parsed(cron, timezone).nextRuns(LOOKED_AT, new Date(now));
  if (times.length === 0) throw invalid('The cron expression has no time that comes.', { field: 'cron' });
  const tooSoon = times.some((time, i) => i > 0 && time.getTime() - (times[i - 1]?.getTime() ?? 0) < SOONEST_MS);
  if (tooSoon) throw invalid('A schedule comes every 15 minutes at most: an answer is kept for as long anyway.', { field: 'cron' });
}

function parsed(cron: string, timezone: string): Cron {
  if (cron.trim().split(/\s+/).length !== 5) throw invalid('cron takes five fields: minute, hour, day of month, month, day of week, such as 0 2 * * *.', { field: 'cron' });
  try {
    // croner looks at the timezone only when it counts
    new Intl.DateTimeFormat('en', { timeZone: timezone });
    // Vixie's rule where day of month and day of week are both given: either
    return new Cron(cron, { timezone, mode: '5-part', paused: true });
  } catch (error) {
    throw invalid(`The cron expression or its timezone cannot be read: ${(error as Error).message.slice(0, 200)}`, { field: 'cron' });
  }
}

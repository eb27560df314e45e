import { z } from 'zod';
import { event, type FactOf } from './contract';
import { count, oneOf, projectId, text, timestamp } from './fields';
import { plain } from './privacy';
import { eventsTopic } from './topics';

const topic = eventsTopic('fetch-job');

/** What is fetched stands in the tenant's own tables, and ends with them: an item names a person more often than not. */
export const fetchJobCreated = event(topic, 'fetch-job.created', 'A bulk fetch was taken in; its items are in the tenant’s tables alone.', {
  jobId: text(),
  projectId: projectId(),
  purpose: oneOf('call', 'refresh'),
  mode: oneOf('live', 'test'),
  items: count(),
  endpoints: plain(z.array(z.string())),
  /** What the quote said that it would cost. */
  quotedCredits: count(),
  /** Of the schedule that it came from. */
  scheduleId: plain(z.string().nullable()),
});
export const fetchJobStarted = event(topic, 'fetch-job.started', 'A worker took up its first items.', { jobId: text() });

const sums = { jobId: text(), succeeded: count(), failed: count(), chargedCredits: count(), cacheHits: count(), resultsUntil: timestamp() };
export const fetchJobFinished = event(topic, 'fetch-job.finished', 'Every item has its answer or its error.', sums);
export const fetchJobCancelled = event(topic, 'fetch-job.cancelled', 'Nothing more of it is fetched; what was fetched stays until then.', {
  ...sums,
  left: count(),
});
export const fetchJobResultsDeleted = event(topic, 'fetch-job.results-deleted', 'Its time was over: items and answers are gone.', {
  jobId: text(),
});

export const refreshScheduleSet = event(topic, 'refresh-schedule.set', 'From now on a job is made whenever the clock says so.', {
  scheduleId: text(),
  endpoint: text(),
  targets: count(),
  pages: count(),
  cron: text(),
  timezone: text(),
});
export const refreshScheduleFired = event(topic, 'refresh-schedule.fired', 'Its time came; the job has a stream of its own.', {
  scheduleId: text(),
  /** The time that it was due at. */
  at: timestamp(),
  jobId: text(),
});
export const refreshScheduleRemoved = event(topic, 'refresh-schedule.removed', 'No job is made any more.', { scheduleId: text() });

export type FetchJobEvent = FactOf<
  | typeof fetchJobCreated
  | typeof fetchJobStarted
  | typeof fetchJobFinished
  | typeof fetchJobCancelled
  | typeof fetchJobResultsDeleted
>;
export type RefreshScheduleEvent = FactOf<typeof refreshScheduleSet | typeof refreshScheduleFired | typeof refreshScheduleRemoved>;

import { integer, type Settings } from '@weir/service-host';

export interface JobsConfig {
  readonly jobsAtOnce: number;
  readonly jobConcurrency: number;
  readonly jobLeaseMs: number;
  readonly jobsEveryMs: number;
  readonly jobResultsDays: number;
  readonly jobPatienceMs: number;
}

export const jobSettings: Settings<JobsConfig> = {
  jobsAtOnce: integer('WEIR_JOBS_AT_ONCE', 'Bulk fetches that one process works on at once', 50, { min: 1, max: 1_000 }),
  jobConcurrency: integer('WEIR_JOB_CONCURRENCY', 'Items of one bulk fetch under way at once', 4, { min: 1, max: 100 }),
  jobLeaseMs: integer('WEIR_JOB_LEASE_MS', 'How long a bulk fetch waits for a worker that does not answer before another takes it up', 20_000, { min: 300 }),
  jobsEveryMs: integer('WEIR_JOBS_EVERY_MS', 'Wait between looks for bulk fetches and schedules that are due', 500, { min: 10 }),
  jobResultsDays: integer('WEIR_JOB_RESULTS_DAYS', 'Days that the results of a bulk fetch are kept', 7, { min: 1, max: 90 }),
  jobPatienceMs: integer('WEIR_JOB_PATIENCE_MS', 'Longest that a bulk fetch waits for a limit with its place kept; a longer one lets others go first', 30_000, { min: 100 }),
};

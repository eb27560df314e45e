import type { FetchJobEvent } from '@weir/contracts';
import { fact, type Aggregate, type Decide, type ProjectId } from '@weir/kernel';
import { jobNotFound } from '../errors';

/**
 * The life of a bulk fetch. Its items are rows and no events: they name persons, and ten thousand of them say nothing that a log should
 * keep for ever.
 *
 *     waiting ──first items taken──▶ running ──all answered──▶ finished ──seven days──▶ gone
 *        └──────────────┴──────────cancelled───────────────▶ cancelled ──seven days──▶ gone
 */
export type FetchJob =
  | { readonly is: 'unknown' }
  | { readonly is: 'waiting' | 'running' }
  | { readonly is: 'finished' | 'cancelled' }
  | { readonly is: 'gone' };

export const initial: FetchJob = { is: 'unknown' };

export function evolve(state: FetchJob, event: FetchJobEvent): FetchJob {
  switch (event.type) {
    case 'fetch-job.created':
      return { is: 'waiting' };
    case 'fetch-job.started':
      return { is: 'running' };
    case 'fetch-job.finished':
      return { is: 'finished' };
    case 'fetch-job.cancelled':
      return { is: 'cancelled' };
    case 'fetch-job.results-deleted':
      return { is: 'gone' };
    default:
      return state;
  }
}

export const fetchJob: Aggregate<FetchJob, FetchJobEvent> = { initial, evolve };

// -- Decisions -----------------------------------------------------------------------------------------------------------------

type Decision = Decide<FetchJob, FetchJobEvent>;

export interface NewJob {
  readonly jobId: string;
  readonly projectId: ProjectId;
  readonly purpose: 'call' | 'refresh';
  readonly mode: 'live' | 'test';
  readonly items: number;
  readonly endpoints: string[];
  readonly quotedCredits: number;
  readonly scheduleId: string | null;
}

/** What came of the items so far. */
export interface Sums {
  readonly succeeded: number;
  readonly failed: number;
  readonly chargedCredits: number;
  readonly cacheHits: number;
}

export const create =
  (job: NewJob): Decision =>
  (state) =>
    state.is === 'unknown' ? [fact('fetch-job.created', job)] : [];

export const start =
  (jobId: string): Decision =>
  (state) =>
    state.is === 'waiting' ? [fact('fetch-job.started', { jobId })] : [];

export const finish =
  (jobId: string, sums: Sums, resultsUntil: number): Decision =>
  (state) =>
    isOpen(state) ? [fact('fetch-job.finished', { jobId, ...sums, resultsUntil })] : [];

/** One that has ended stays as it is: whoever cancels it comes too late, and has nothing left to stop. */
export const cancel =
  (jobId: string, sums: Sums & { readonly left: number }, resultsUntil: number): Decision =>
  (state) => {
    if (state.is === 'unknown' || state.is === 'gone') throw jobNotFound();
    return isOpen(state) ? [fact('fetch-job.cancelled', { jobId, ...sums, resultsUntil })] : [];
  };

export const deleteResults =
  (jobId: string): Decision =>
  (state) =>
    state.is === 'finished' || state.is === 'cancelled' ? [fact('fetch-job.results-deleted', { jobId })] : [];

export const isOpen = (state: FetchJob): boolean => state.is === 'waiting' || state.is === 'running';

import type { RefreshScheduleEvent } from '@weir/contracts';
import { fact, type Aggregate, type Decide } from '@weir/kernel';
import { scheduleNotFound } from '../errors';

/** What is fetched again and again: set once, fired by the clock, removed. Whom it is about is in its targets, and in no event. */
export type RefreshSchedule = { readonly is: 'unknown' | 'removed' } | { readonly is: 'set'; readonly firedAt: number };

export const refreshSchedule: Aggregate<RefreshSchedule, RefreshScheduleEvent> = {
  initial: { is: 'unknown' },
  evolve(state, event) {
    switch (event.type) {
      case 'refresh-schedule.set':
        return { is: 'set', firedAt: 0 };
      case 'refresh-schedule.fired':
        return state.is === 'set' ? { is: 'set', firedAt: event.data.at } : state;
      case 'refresh-schedule.removed':
        return { is: 'removed' };
      default:
        return state;
    }
  },
};

type Decision = Decide<RefreshSchedule, RefreshScheduleEvent>;

export interface NewSchedule {
  readonly scheduleId: string;
  readonly endpoint: string;
  readonly targets: number;
  readonly pages: number;
  readonly cron: string;
  readonly timezone: string;
}

export const set =
  (schedule: NewSchedule): Decision =>
  (state) =>
    state.is === 'unknown' ? [fact('refresh-schedule.set', schedule)] : [];

/** Each time once: whoever comes second has nothing to say. */
export const fire =
  (scheduleId: string, at: number, jobId: string): Decision =>
  (state) =>
    state.is === 'set' && at > state.firedAt ? [fact('refresh-schedule.fired', { scheduleId, at, jobId })] : [];

export const remove =
  (scheduleId: string): Decision =>
  (state) => {
    if (state.is === 'unknown') throw scheduleNotFound();
    return state.is === 'set' ? [fact('refresh-schedule.removed', { scheduleId })] : [];
  };

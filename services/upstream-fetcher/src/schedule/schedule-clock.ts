import { sleep, type CommandContext } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import type { RefreshSchedules } from './refresh-schedules.service';
import { claimDue, type DueSchedule } from './schedule-rows';

export interface ScheduleClockOptions {
  readonly schedules: RefreshSchedules;
  readonly work: UnitOfWork;
  readonly everyMs: number;
  readonly contextOf: (due: DueSchedule) => CommandContext;
  readonly onError: (error: Error) => void;
}

/** Looks for schedules that are due. Of several processes one fires each. */
export function startScheduleClock({ schedules, work, everyMs, contextOf, onError }: ScheduleClockOptions): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const looking = look();
  return {
    stop: async () => {
      stopping.abort();
      await looking;
    },
  };

  async function look(): Promise<void> {
    while (!stopping.signal.aborted) {
      const due = await claimDue(work, onError).catch((error: Error) => (onError(error), []));
      for (const one of due) await schedules.fire(one, contextOf(one)).catch((error: Error) => onError(error));
      if (due.length === 0) await sleep(everyMs, stopping.signal);
    }
  }
}

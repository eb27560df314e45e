/** A tenth of the calls may be tried again: in a total outage the upstream gets a tenth more load than it had, not three times. */
const PER_CALL = 0.1;
/** Saved up at most, and there from the start, so that a quiet process may retry its one failed call. */
const MOST = 10;
const FIRST = 3;

export interface RetryBudget {
  /** A call arrived. */
  earn(): void;
  /** Whether one more attempt may be made; takes it from the budget. */
  spend(): boolean;
}

export function retryBudget(): RetryBudget {
  let left = FIRST;
  return {
    earn: () => void (left = Math.min(left + PER_CALL, MOST)),
    spend: () => {
      if (left < 1) return false;
      left--;
      return true;
    },
  };
}

const FIRST_PAUSE_MS = 100;

/** Full jitter: anywhere from nothing to twice the pause before, so that those who failed together do not come back together. */
export const retryPauseMs = (retry: number, random: () => number): number => random() * FIRST_PAUSE_MS * 2 ** retry;

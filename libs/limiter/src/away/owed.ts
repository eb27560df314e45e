import type { LimiterStore, TakeRef } from '../port';

/** Of calls that ended while the store was away; a take whose end it never hears expires there. */
const MOST = 10_000;
const BATCH = 100;
const PAY_EVERY_MS = 500;

/** Ends of takes that the store has yet to hear of: told when it answers again, in the order in which they came. */
export interface Owed {
  giveBack(ref: TakeRef): void;
  settle(ref: TakeRef, credits: number): void;
  stop(): void;
}

/** @param away whether asking the store makes no sense now */
export function owed(store: LimiterStore, away: () => boolean): Owed {
  let ends: (() => Promise<void>)[] = [];
  let timer: NodeJS.Timeout | undefined;

  function owe(end: () => Promise<void>): void {
    if (ends.length < MOST) ends.push(end);
    timer ??= setTimeout(() => void pay(), PAY_EVERY_MS).unref();
  }

  async function pay(): Promise<void> {
    while (ends.length > 0 && !away()) {
      const batch = ends.slice(0, BATCH);
      ends = ends.slice(BATCH);
      const told = await Promise.allSettled(batch.map((end) => end()));
      const failed = batch.filter((_, i) => told[i]?.status === 'rejected');
      ends = [...failed, ...ends];
      if (failed.length > 0) break;
    }
    timer = ends.length > 0 ? setTimeout(() => void pay(), PAY_EVERY_MS).unref() : undefined;
  }

  return {
    giveBack: (ref) => owe(() => store.giveBack(ref)),
    settle: (ref, credits) => owe(() => store.settle(ref, credits)),
    stop: () => clearTimeout(timer),
  };
}

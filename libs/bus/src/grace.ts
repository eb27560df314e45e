import { sleep } from '@weir/kernel';

/** Waits for `work`, but no longer than `graceMs`; leaves no timer behind. `work` goes on, and must not reject. */
export async function withinGrace(work: Promise<unknown>, graceMs: number): Promise<void> {
  const over = new AbortController();
  await Promise.race([work, sleep(graceMs, over.signal)]);
  over.abort();
}

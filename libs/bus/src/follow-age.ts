import { backoff } from './delivery';

/**
 * How old a reader of state topics is: the time since the bus, asked where its partitions end, had nothing that was not read.
 * Records that arrive prove nothing of the partitions that are silent; only asking does.
 */
export class FollowAge {
  private confirmedAt = -Infinity;
  private question: { askedAt: number; ends: ReadonlyMap<string, number> } | undefined;
  private waiting: (() => void)[] = [];

  /** @param next the offset that will be read next of a partition (`topic/partition`) */
  constructor(private readonly next: (partition: string) => number) {}

  /**
   * The bus has answered what it was asked at `askedAt` (performance.now). An older answer stays until all of it is read, or a
   * stream of records would put confirmation off for ever.
   */
  answered(askedAt: number, ends: ReadonlyMap<string, number>): void {
    this.question ??= { askedAt, ends };
    this.check();
  }

  /** To be called when something was read. */
  check(): void {
    if (this.question === undefined) return;
    for (const [partition, end] of this.question.ends) if (this.next(partition) < end) return;
    this.confirmedAt = this.question.askedAt;
    this.question = undefined;
    this.wake();
  }

  ageMs(): number {
    return performance.now() - this.confirmedAt;
  }

  /** Asks until everything has been read that was there at the call. @throws Error when `signal` comes first */
  async caughtUp(ask: () => Promise<void>, onError: (error: Error) => void, signal: AbortSignal): Promise<void> {
    const since = performance.now();
    for (let tries = 1; this.confirmedAt < since; tries++) {
      if (signal.aborted) throw new Error('stopped before the topics were read');
      try {
        await ask();
        // nothing open: the answer was to a question from before the call
        if (this.question === undefined || this.confirmedAt >= since || signal.aborted) continue;
        await new Promise<void>((resolve) => this.waiting.push(resolve));
      } catch (error) {
        onError(error as Error);
        await backoff(tries, signal);
      }
    }
  }

  /** Lets those go who wait for a confirmation that will not come. */
  wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

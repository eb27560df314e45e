const EVERY_MS = 500;

/** Beats while a batch is handled, however long that takes; kafkajs itself beats between batches only. */
export class Heartbeat {
  private readonly timer: NodeJS.Timeout;
  /** What the group answered: a rebalance, most likely. The batch in hand is finished first. */
  trouble: Error | undefined;

  constructor(beat: () => Promise<void>) {
    this.timer = setInterval(() => {
      if (this.trouble === undefined) beat().catch((error: Error) => (this.trouble ??= error));
    }, EVERY_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }
}

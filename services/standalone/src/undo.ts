/** What has been started, to be stopped in the opposite order. */
export class Undo {
  private readonly steps: (() => Promise<unknown>)[] = [];

  add(step: () => Promise<unknown>): void {
    this.steps.unshift(step);
  }

  /** Each step is taken, whatever became of the one before it. */
  async all(): Promise<void> {
    for (const step of this.steps.splice(0)) await step().catch(() => undefined);
  }
}

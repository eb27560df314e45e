/** What has been started, to be stopped in the opposite order. */
export class Undo {
  private readonly steps: (() => Promise<unknown>)[] = [];

  add(step: () => Promise<unknown>): void {
    this.steps.unshift(step);
  }

  /** Each step is taken, whatever became of the one before it; the first that failed is told at the end. */
  async all(): Promise<void> {
    let failed: { error: unknown } | undefined;
    for (const step of this.steps.splice(0)) {
      await step().catch((error: unknown) => {
        failed ??= { error };
      });
    }
    if (failed !== undefined) throw failed.error;
  }
}

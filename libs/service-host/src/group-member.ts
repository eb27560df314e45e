import type { Bus, Consumption, ConsumerSpec } from '@weir/bus';
import { isTransient, sleep } from '@weir/kernel';

const AGAIN_AFTER_MS = 1_000;

/**
 * This process's place in one consumer group. Joining may take as long as the group waits for a member that was killed, so nobody
 * has to wait for it; what will not pass (a topic that there is not) is told to who asks.
 */
export class GroupMember {
  readonly joined: Promise<void>;
  private readonly stopping = new AbortController();
  private consumption: Consumption | undefined;
  private failure: Error | undefined;

  constructor(
    private readonly bus: Bus,
    private readonly spec: ConsumerSpec,
  ) {
    this.joined = this.join();
    this.joined.catch((error: Error) => (this.failure = error));
  }

  get group(): string {
    return this.spec.group;
  }

  get state(): 'joining' | 'member' | Error {
    return this.failure ?? (this.consumption === undefined ? 'joining' : 'member');
  }

  /** Records that wait; one at least while it is not known. */
  async backlog(): Promise<number> {
    if (this.consumption === undefined) return 1;
    return (await this.consumption.lag()).reduce((sum, { lag }) => sum + lag, 0);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.joined.catch(() => undefined);
    await this.consumption?.stop();
  }

  private async join(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        this.consumption = await this.bus.consume(this.spec);
        return;
      } catch (error) {
        if (!isTransient(error)) throw error;
        await sleep(AGAIN_AFTER_MS, signal);
      }
    }
  }
}

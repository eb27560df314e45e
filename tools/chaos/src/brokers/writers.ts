import type { Bus } from '@weir/bus';
import { sleep } from '@weir/kernel';

export const TOPIC = 'weir.chaos';

const WRITERS = 8;
const PAUSE_MS = 2;
const KEYS_EACH = 12;
const BATCH = 24;
/** Records that may be on their way at one moment. */
export const IN_FLIGHT = WRITERS * BATCH;

/** What was published: of each key the numbers from 0 on, each given to the bus until it acknowledges it, as the relay does. */
export class Writers {
  /** By key: how many numbers have been acknowledged. */
  readonly acknowledged = new Map<string, number>();
  refusals = 0;
  /** The longest time from one acknowledgement of a writer to its next, ms. */
  longestGapMs = 0;
  private stopping = false;
  private readonly running: Promise<unknown>;

  constructor(
    private readonly bus: Bus,
    private readonly pauseMs = PAUSE_MS,
  ) {
    this.running = Promise.all(Array.from({ length: WRITERS }, (_, writer) => this.write(writer)));
  }

  get total(): number {
    return [...this.acknowledged.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Resolves when the last batch of each writer has been acknowledged. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.running;
  }

  private async write(writer: number): Promise<void> {
    const keys = Array.from({ length: KEYS_EACH }, (_, key) => `key-${writer}-${key}`);
    let last = performance.now();
    for (let turn = 0; !this.stopping; turn++) {
      const next = new Map(keys.map((key) => [key, this.acknowledged.get(key) ?? 0]));
      // several of one key in a batch, and keys of many partitions in every batch
      const records = Array.from({ length: BATCH }, (_, n) => {
        const key = keys[(turn + n) % KEYS_EACH] as string;
        const number = next.get(key) as number;
        next.set(key, number + 1);
        return { topic: TOPIC, key, value: Buffer.from(String(number)), headers: {} };
      });
      while (!(await this.published(records))) await sleep(20);
      for (const [key, count] of next) this.acknowledged.set(key, count);
      this.longestGapMs = Math.max(this.longestGapMs, performance.now() - last);
      last = performance.now();
      await sleep(this.pauseMs);
    }
  }

  private async published(records: Parameters<Bus['publish']>[0]): Promise<boolean> {
    return this.bus.publish(records).then(
      () => true,
      () => (this.refusals++, false),
    );
  }
}

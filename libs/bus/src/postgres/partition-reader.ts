import type { Pool } from 'pg';
import { backoff, type Delivery } from '../delivery';
import type { BusRecord } from '../port';
import { readPartition } from './records';

const LEAST_READ = 100;
const COMMIT_EVERY_MS = 200;

export interface Claim {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly epoch: string;
}

export interface PartitionReaderOptions {
  readonly pool: Pool;
  readonly group: string;
  readonly maxBatch: number;
  readonly delivery: Delivery;
  readonly end: () => number;
  readonly paused: () => boolean;
  /** Ends the waiting between tries when the consumption stops. */
  readonly signal: AbortSignal;
  readonly onError: (error: Error) => void;
}

/** Reads one partition for a group, hands its records over in order, commits what was handled. Takes no more than it hands over. */
export class PartitionReader {
  private next: number;
  private committed: number;
  private committedAt = 0;
  private leaving = false;
  private replay = false;
  private wakeUp: (() => void) | undefined;
  /** Another member holds the partition by now: what was handled but not committed is handled there again. */
  lost = false;
  readonly done: Promise<void>;

  constructor(
    readonly claim: Claim,
    private readonly options: PartitionReaderOptions,
  ) {
    this.next = this.committed = claim.offset;
    this.done = this.run();
  }

  wake(): void {
    this.wakeUp?.();
  }

  /** Released records wait to be handled. */
  released(): void {
    this.replay = true;
    this.wake();
  }

  /** Finishes what is in hand. */
  leave(): Promise<void> {
    this.leaving = true;
    this.wake();
    return this.done;
  }

  private async run(): Promise<void> {
    const { delivery, paused, end, signal } = this.options;
    const { topic, partition } = this.claim;
    for (let trouble = 0; !this.leaving;) {
      try {
        if (paused()) {
          await this.woken();
        } else if (this.replay) {
          this.replay = false;
          await delivery.replayReleased(topic, partition, signal);
        } else if (this.next >= end()) {
          await this.woken();
        } else {
          await this.readOn();
        }
        trouble = 0;
      } catch (error) {
        if (this.lost) return;
        if (signal.aborted) break;
        this.options.onError(
          new Error(`${this.options.group}: ${topic}/${partition}: ${(error as Error).message}`, { cause: error }),
        );
        await backoff(++trouble, signal).catch(() => undefined);
      }
    }
    await this.commit().catch((error: Error) => this.lost || this.options.onError(error));
  }

  private async readOn(): Promise<void> {
    const { pool, maxBatch, delivery, signal, end, paused } = this.options;
    const upTo = end();
    const records = await readPartition(pool, this.claim.topic, this.claim.partition, this.next, Math.max(maxBatch, LEAST_READ));
    for (let first = 0; first < records.length && !this.leaving && !paused(); first += maxBatch) {
      const batch = records.slice(first, first + maxBatch);
      await delivery.deliver(batch, signal);
      this.next = after(batch);
      if (performance.now() - this.committedAt > COMMIT_EVERY_MS) await this.commit();
    }
    // trimmed or compacted away
    if (records.length === 0) this.next = Math.max(this.next, upTo);
    await this.commit();
  }

  private async commit(): Promise<void> {
    if (this.committed === this.next) return;
    const { topic, partition, epoch } = this.claim;
    const to = this.next;
    const { rowCount } = await this.options.pool.query(
      `update weir_bus.group_offsets set "offset" = $5 where grp = $1 and topic = $2 and partition = $3 and epoch = $4`,
      [this.options.group, topic, partition, epoch, to],
    );
    if (rowCount === 0) {
      this.lost = true;
      throw new Error('the partition has passed to another member');
    }
    this.committed = to;
    this.committedAt = performance.now();
  }

  private async woken(): Promise<void> {
    await new Promise<void>((resolve) => (this.wakeUp = resolve));
    this.wakeUp = undefined;
  }
}

const after = (batch: readonly BusRecord[]) => Number(batch.at(-1)?.offset) + 1;

import type { Pool } from 'pg';
import { partitionName } from '../partition-name';

const POLL_MS = 2_000;
const POLL_UNHEARD_MS = 100;

type Confirmed = (askedAt: number, topics: ReadonlySet<string>) => void;
type Moved = (topic: string, partition: number, end: number) => void;

/**
 * Where each partition ends, for every reader of the process: told by notifications, and asked for in one small statement every two
 * seconds (every 100 ms while nobody listens), which is also what confirms the age of followed topics.
 */
export class Ends {
  private readonly ends = new Map<string, number>();
  private readonly readers = new Map<Moved, readonly string[]>();
  private readonly confirmations = new Set<Confirmed>();
  private timer: NodeJS.Timeout | undefined;
  private asking: Promise<void> | undefined;
  private next: Promise<void> | undefined;

  constructor(
    private readonly pool: Pool,
    private readonly listening: () => boolean,
    private readonly onError: (error: Error) => void,
  ) {}

  get(topic: string, partition: number): number {
    return this.ends.get(partitionName(topic, partition)) ?? 0;
  }

  /** Calls `moved` for every change in `topics`. @returns how to stop */
  watch(topics: readonly string[], moved: Moved): () => void {
    this.readers.set(moved, topics);
    this.schedule();
    return () => {
      this.readers.delete(moved);
      if (this.readers.size === 0) this.timer = void clearTimeout(this.timer);
    };
  }

  /** Calls back after every poll with what was asked, and when (performance.now): the ends are at least as new. */
  onConfirmed(confirmed: Confirmed): () => void {
    this.confirmations.add(confirmed);
    return () => this.confirmations.delete(confirmed);
  }

  heard(topic: string, partition: number, end: number): void {
    const name = partitionName(topic, partition);
    if ((this.ends.get(name) ?? 0) >= end) return;
    this.ends.set(name, end);
    for (const [moved, topics] of this.readers) if (topics.includes(topic)) moved(topic, partition, end);
  }

  /** Asks now. Who comes while a question is out shares the next one, since the answer on its way may be older than their need. */
  poll(): Promise<void> {
    if (this.asking === undefined) return this.start();
    this.next ??= this.asking
      .catch(() => undefined)
      .then(() => {
        this.next = undefined;
        return this.start();
      });
    return this.next;
  }

  private start(): Promise<void> {
    this.asking = this.ask().finally(() => (this.asking = undefined));
    return this.asking;
  }

  private async ask(): Promise<void> {
    const askedAt = performance.now();
    const topics = new Set([...this.readers.values()].flat());
    const { rows } = await this.pool.query<{ topic: string; partition: number; next_offset: string }>(
      'select topic, partition, next_offset from weir_bus.partitions where topic = any($1::text[])',
      [[...topics]],
    );
    for (const row of rows) this.heard(row.topic, row.partition, Number(row.next_offset));
    for (const confirmed of this.confirmations) confirmed(askedAt, topics);
  }

  private schedule(): void {
    this.timer ??= setTimeout(
      () => {
        void this.poll()
          .catch((error: Error) =>
            this.onError(new Error(`the ends of partitions cannot be read: ${error.message}`, { cause: error })),
          )
          .finally(() => {
            if (this.timer === undefined) return;
            this.timer = undefined;
            if (this.readers.size > 0) this.schedule();
          });
      },
      this.listening() ? POLL_MS : POLL_UNHEARD_MS,
    );
  }
}

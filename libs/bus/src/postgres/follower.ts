import type { Pool } from 'pg';
import { backoff } from '../delivery';
import { partitionName } from '../partition-name';
import type { Following, FollowSpec } from '../port';
import type { Ends } from './ends';
import { readPartition } from './records';

const PAGE = 1_000;

interface Position {
  readonly topic: string;
  readonly partition: number;
  next: number;
}

/** Reads topics from the beginning and follows them. Its age counts from the last time that the bus, when asked, had nothing more. */
export class PostgresFollower implements Following {
  private readonly positions = new Map<string, Position>();
  private readonly stopping = new AbortController();
  private readonly unwatch: (() => void)[] = [];
  private confirmedAt = -Infinity;
  /** A poll's ends that have not all been read yet. */
  private toConfirm: { askedAt: number; ends: Map<Position, number> } | undefined;
  private caughtUpWaiters: (() => void)[] = [];
  private reading: Promise<void> | undefined;
  private again = false;

  constructor(
    private readonly pool: Pool,
    private readonly spec: FollowSpec,
    private readonly ends: Ends,
    partitions: ReadonlyMap<string, number>,
    private readonly onError: (error: Error) => void,
  ) {
    for (const [topic, count] of partitions) {
      for (let partition = 0; partition < count; partition++) this.positions.set(partitionName(topic, partition), { topic, partition, next: 0 });
    }
  }

  start(): void {
    this.unwatch.push(
      this.ends.watch(this.spec.topics, () => this.readSoon()),
      this.ends.onConfirmed((askedAt, topics) => {
        if (this.spec.topics.every((topic) => topics.has(topic))) this.heardEnds(askedAt);
      }),
    );
    void this.ends.poll().catch(this.onError);
  }

  async caughtUp(): Promise<void> {
    const { signal } = this.stopping;
    const since = performance.now();
    for (let tries = 1; this.confirmedAt < since; tries++) {
      try {
        await this.ends.poll();
        if (this.confirmedAt < since && !signal.aborted) await new Promise<void>((resolve) => this.caughtUpWaiters.push(resolve));
      } catch (error) {
        this.onError(error as Error);
        await backoff(tries, signal);
      }
      if (signal.aborted) throw new Error('stopped before the topics were read');
    }
  }

  ageMs(): number {
    return performance.now() - this.confirmedAt;
  }

  async stop(): Promise<void> {
    for (const unwatch of this.unwatch) unwatch();
    this.stopping.abort();
    this.tellWaiters();
    await this.reading;
  }

  private heardEnds(askedAt: number): void {
    const ends = new Map([...this.positions.values()].map((at) => [at, this.ends.get(at.topic, at.partition)] as const));
    // the older question stays until it is answered, or a stream of records would push confirmation away for ever
    this.toConfirm ??= { askedAt, ends };
    this.readSoon();
  }

  private confirm(): void {
    if (this.toConfirm === undefined) return;
    for (const [position, end] of this.toConfirm.ends) if (position.next < end) return;
    this.confirmedAt = this.toConfirm.askedAt;
    this.toConfirm = undefined;
    this.tellWaiters();
  }

  private tellWaiters(): void {
    for (const resolve of this.caughtUpWaiters.splice(0)) resolve();
  }

  private readSoon(): void {
    this.again = true;
    this.reading ??= Promise.resolve().then(() => this.readAll());
  }

  private async readAll(): Promise<void> {
    const { signal } = this.stopping;
    for (let trouble = 0; this.again && !signal.aborted; ) {
      this.again = false;
      try {
        for (const position of this.positions.values()) await this.readPartition(position);
        this.confirm();
        trouble = 0;
      } catch (error) {
        this.onError(new Error(`state topics cannot be read: ${(error as Error).message}`, { cause: error }));
        this.again = true;
        await backoff(++trouble, signal).catch(() => undefined);
      }
    }
    this.reading = undefined;
  }

  private async readPartition(position: Position): Promise<void> {
    for (let end = this.end(position); position.next < end && !this.stopping.signal.aborted; end = this.end(position)) {
      const records = await readPartition(this.pool, position.topic, position.partition, position.next, PAGE);
      for (const record of records) {
        position.next = Number(record.offset) + 1;
        try {
          this.spec.apply(record);
        } catch (error) {
          this.onError(error as Error);
        }
      }
      // the rest up to the end has been replaced by later records
      if (records.length === 0) position.next = Math.max(position.next, end);
    }
  }

  private end(position: Position): number {
    return this.ends.get(position.topic, position.partition);
  }
}

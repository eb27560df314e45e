import type { Pool } from 'pg';
import { backoff } from '../delivery';
import { FollowAge } from '../follow-age';
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

/** Reads topics from the beginning, partition after partition, and follows them. */
export class PostgresFollower implements Following {
  private readonly positions = new Map<string, Position>();
  private readonly age = new FollowAge((partition) => this.positions.get(partition)?.next ?? 0);
  private readonly stopping = new AbortController();
  private readonly unwatch: (() => void)[] = [];
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
      for (let partition = 0; partition < count; partition++)
        this.positions.set(partitionName(topic, partition), { topic, partition, next: 0 });
    }
  }

  start(): void {
    this.unwatch.push(
      this.ends.watch(this.spec.topics, () => this.readSoon()),
      this.ends.onConfirmed((askedAt, topics) => {
        if (!this.spec.topics.every((topic) => topics.has(topic))) return;
        this.age.answered(askedAt, new Map([...this.positions].map(([name, position]) => [name, this.end(position)])));
        // another reader of this process may have heard of these ends before
        this.readSoon();
      }),
    );
    void this.ends.poll().catch(this.onError);
  }

  caughtUp(): Promise<void> {
    return this.age.caughtUp(() => this.ends.poll(), this.onError, this.stopping.signal);
  }

  ageMs(): number {
    return this.age.ageMs();
  }

  async stop(): Promise<void> {
    for (const unwatch of this.unwatch) unwatch();
    this.stopping.abort();
    this.age.wake();
    await this.reading;
  }

  private readSoon(): void {
    this.again = true;
    this.reading ??= Promise.resolve().then(() => this.readAll());
  }

  private async readAll(): Promise<void> {
    const { signal } = this.stopping;
    for (let trouble = 0; this.again && !signal.aborted;) {
      this.again = false;
      try {
        for (const position of this.positions.values()) await this.readToEnd(position);
        this.age.check();
        trouble = 0;
      } catch (error) {
        this.onError(new Error(`state topics cannot be read: ${(error as Error).message}`, { cause: error }));
        this.again = true;
        await backoff(++trouble, signal).catch(() => undefined);
      }
    }
    // here and not in a `finally`: who asks before that one ran would not be heard
    this.reading = undefined;
  }

  private async readToEnd(position: Position): Promise<void> {
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

import { newUuid } from '@weir/kernel';
import type { Batch, Consumer, Kafka } from 'kafkajs';
import { FollowAge } from '../follow-age';
import { partitionName } from '../partition-name';
import type { Following, FollowSpec } from '../port';
import type { Names } from './names';
import { toBusRecord } from './record';
import { SteadyConsumer } from './steady-consumer';
import type { Topics } from './topics';

const ASK_EVERY_MS = 2_000;
const GRACE_MS = 2_000;

export interface FollowerDeps {
  readonly kafka: Kafka;
  readonly topics: Topics;
  readonly names: Names;
  readonly onError: (error: Error) => void;
}

/**
 * Reads topics from the beginning and follows them. kafkajs reads only in groups, so each client is a group of its own under a name
 * used once; it commits nothing, and the positions are kept here, over rebalances and new clients.
 */
export class KafkaFollower implements Following {
  private readonly next = new Map<string, number>();
  private readonly age = new FollowAge((partition) => this.next.get(partition) ?? 0);
  private readonly stopping = new AbortController();
  private asking: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private readonly consumer: SteadyConsumer;

  constructor(
    private readonly spec: FollowSpec,
    private readonly deps: FollowerDeps,
  ) {
    const { kafka, names, onError } = deps;
    this.consumer = new SteadyConsumer({
      kafka,
      name: 'reader of state topics',
      topics: spec.topics.map((topic) => names.onCluster(topic)),
      // a new name with each client: nobody waits for the session of the one before to end
      config: () => ({ groupId: names.onCluster(`weir.follow.${newUuid()}`), sessionTimeout: 30_000 }),
      partitionsAtOnce: 1,
      onBatch: async ({ batch, isStale, resolveOffset }) => {
        if (isStale()) return;
        this.apply(batch);
        resolveOffset(batch.lastOffset());
      },
      onJoin: (consumer, assignment) => {
        for (const [topic, partitions] of Object.entries(assignment))
          for (const partition of partitions) this.seek(consumer, topic, partition);
      },
      // tells also of batches that hold nothing to be read
      onRead: (topic, partition, lastOffset) => this.read(topic, partition, Number(lastOffset) + 1),
      onError,
    });
  }

  async start(): Promise<void> {
    if (this.spec.topics.length > 0) await this.consumer.start();
    this.timer = setInterval(() => void this.ask().catch(this.deps.onError), ASK_EVERY_MS);
  }

  caughtUp(): Promise<void> {
    return this.age.caughtUp(() => this.ask(), this.deps.onError, this.stopping.signal);
  }

  ageMs(): number {
    return this.age.ageMs();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    this.age.wake();
    if (this.spec.topics.length > 0) await this.consumer.stop(GRACE_MS);
  }

  /** Resolves when the client has gone, which may be after stop(). */
  async gone(): Promise<void> {
    await this.consumer.left;
  }

  private apply(batch: Batch): void {
    const topic = this.deps.names.ours(batch.topic);
    for (const message of batch.messages) {
      try {
        this.spec.apply(toBusRecord(topic, batch.partition, message));
      } catch (error) {
        this.deps.onError(error as Error);
      }
    }
  }

  private read(topic: string, partition: number, next: number): void {
    this.next.set(partitionName(this.deps.names.ours(topic), partition), next);
    this.age.check();
  }

  private seek(consumer: Consumer, topic: string, partition: number): void {
    const next = this.next.get(partitionName(this.deps.names.ours(topic), partition)) ?? 0;
    if (next > 0) consumer.seek({ topic, partition, offset: String(next) });
  }

  private ask(): Promise<void> {
    this.asking ??= this.askNow().finally(() => (this.asking = undefined));
    return this.asking;
  }

  private async askNow(): Promise<void> {
    const askedAt = performance.now();
    const ends = await this.deps.topics.ends(this.spec.topics);
    for (const [name, end] of ends) if (end < (this.next.get(name) ?? 0)) this.startOver(name);
    this.age.answered(askedAt, ends);
  }

  // The log is shorter than what was read of it: the topic was wiped, and is being re-emitted.
  private startOver(name: string): void {
    this.next.delete(name);
    const [topic = '', partition] = name.split('/');
    this.consumer.current?.seek({ topic: this.deps.names.onCluster(topic), partition: Number(partition), offset: '0' });
  }
}

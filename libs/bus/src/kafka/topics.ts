import { sleep } from '@weir/kernel';
import type { Admin, Kafka } from 'kafkajs';
import { partitionName } from '../partition-name';
import { busUnavailable, unknownTopic } from '../errors';
import { toAppError } from './errors';
import type { Names } from './names';

const KNOWN_WITHIN_MS = 30_000;
const METADATA_TRIES = 8;

export interface Placed {
  readonly partitions: number;
  /** Of the partition that has the fewest. */
  readonly replicas: number;
}

/** What is known of the cluster: its topics, their partitions and ends. One connection for all questions. */
export class Topics {
  private admin: Promise<Admin> | undefined;
  private counts = new Map<string, number>();

  constructor(
    private readonly kafka: Kafka,
    private readonly names: Names,
  ) {}

  /** Partitions of each topic, asked once. @throws AppError `unknown-topic`, at once and not after kafkajs's half minute */
  async partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (topics.some((topic) => !this.counts.has(topic))) this.counts = await this.readCounts();
    const missing = topics.find((topic) => !this.counts.has(topic));
    if (missing !== undefined) throw unknownTopic(missing);
    return this.counts;
  }

  /** Where each partition ends, by `topic/partition`. */
  async ends(topics: readonly string[]): Promise<Map<string, number>> {
    const admin = await this.connected();
    const all = await Promise.all(
      topics.map(async (topic) =>
        (await admin.fetchTopicOffsets(this.names.onCluster(topic))).map(
          ({ partition, high }) => [partitionName(topic, partition), Number(high)] as const,
        ),
      ),
    );
    return new Map(all.flat());
  }

  async lag(group: string, topics: readonly string[]): Promise<Array<{ topic: string; partition: number; lag: number }>> {
    const admin = await this.connected();
    const committed = await admin.fetchOffsets({
      groupId: this.names.onCluster(group),
      topics: topics.map((topic) => this.names.onCluster(topic)),
    });
    const all = await Promise.all(
      committed.map(async ({ topic, partitions }) => {
        const next = new Map(partitions.map(({ partition, offset }) => [partition, Number(offset)]));
        return (await admin.fetchTopicOffsets(topic)).map(({ partition, high, low }) => ({
          topic: this.names.ours(topic),
          partition,
          lag: Number(high) - Math.max(next.get(partition) ?? 0, Number(low)),
        }));
      }),
    );
    return all.flat().sort((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition);
  }

  async ping(): Promise<void> {
    await (await this.connected()).describeCluster();
  }

  async close(): Promise<void> {
    const admin = await this.admin?.catch(() => undefined);
    await admin?.disconnect();
  }

  // kafkajs's own waiting gives up when a broker has not heard of the topic yet
  async known(topics: readonly string[]): Promise<void> {
    const until = performance.now() + KNOWN_WITHIN_MS;
    for (;;) {
      const counts = await this.readCounts();
      const unknown = topics.find((topic) => !counts.has(topic));
      if (unknown === undefined) return;
      if (performance.now() > until) throw busUnavailable(new Error(`topic ${unknown} was created and does not appear`));
      await sleep(50);
    }
  }

  private async readCounts(): Promise<Map<string, number>> {
    return new Map([...(await this.placed())].map(([topic, { partitions }]) => [topic, partitions]));
  }

  // All topics, without naming any: naming an unknown one would create it where the cluster allows that. Anyone's topic that is just
  // being made or removed spoils the answer; it is asked for again.
  async placed(): Promise<Map<string, Placed>> {
    const admin = await this.connected();
    for (let tries = 1; ; tries++) {
      try {
        return this.ours(await admin.fetchTopicMetadata());
      } catch (error) {
        if (tries === METADATA_TRIES || (error as { retriable?: boolean }).retriable !== true) throw error;
        await sleep(50 * tries);
      }
    }
  }

  private ours({ topics }: Awaited<ReturnType<Admin['fetchTopicMetadata']>>): Map<string, Placed> {
    const ours = topics.filter(({ name }) => this.names.isOurs(name));
    return new Map(
      ours.map(({ name, partitions }) => [
        this.names.ours(name),
        { partitions: partitions.length, replicas: Math.min(...partitions.map(({ replicas }) => replicas.length)) },
      ]),
    );
  }

  async connected(): Promise<Admin> {
    this.admin ??= this.connect();
    try {
      return await this.admin;
    } catch (error) {
      this.admin = undefined;
      throw toAppError(error);
    }
  }

  private async connect(): Promise<Admin> {
    // questions are asked again anyway: one that the broker does not answer is given up after some 3 s
    const admin = this.kafka.admin({ retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 6 } });
    await admin.connect();
    return admin;
  }
}

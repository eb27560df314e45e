import { Partitioners, type Kafka, type Message, type Producer } from 'kafkajs';
import { withinGrace } from '../grace';
import { partitionName } from '../partition-name';
import type { OutgoingRecord } from '../port';
import { toAppError } from './errors';
import { Call, Lane } from './lane';
import type { Names } from './names';
import { partitionOf } from './partition-of';
import type { Topics } from './topics';

/**
 * Publishes each partition for itself. kafkajs retries a `send` over several brokers without those that have answered, and so
 * resolves it though a share was lost when a leader died; a send of one partition has one answer, which is checked.
 */
export class Publisher {
  private readonly lanes = new Map<string, Lane>();
  private producer: Promise<Producer> | undefined;
  /** Calls are dealt out to lanes in the order of their coming, however long the first look at a topic takes. */
  private dealing: Promise<void> = Promise.resolve();

  constructor(
    private readonly kafka: Kafka,
    private readonly topics: Topics,
    private readonly names: Names,
  ) {}

  publish(records: readonly OutgoingRecord[]): Promise<void> {
    if (records.length === 0) return Promise.resolve();
    const call = new Call(records.length);
    this.dealing = this.dealing.then(() => this.deal(records, call)).catch((error: unknown) => call.fail(toAppError(error)));
    return call.done;
  }

  /** What was published is sent first, in `graceMs` at most. */
  async close(graceMs: number): Promise<void> {
    const sent = this.dealing.then(() => Promise.all([...this.lanes.values()].map((lane) => lane.drained())));
    await withinGrace(sent, graceMs);
    const producer = await this.producer?.catch(() => undefined);
    await producer?.disconnect();
  }

  private async deal(records: readonly OutgoingRecord[], call: Call): Promise<void> {
    const counts = await this.topics.partitionCounts([...new Set(records.map((record) => record.topic))]);
    for (const { topic, key, value, headers } of records) {
      const partition = partitionOf(key, counts.get(topic) ?? 1);
      this.lane(topic, partition).add({ key, value, headers, partition }, call);
    }
  }

  private lane(topic: string, partition: number): Lane {
    const name = partitionName(topic, partition);
    let lane = this.lanes.get(name);
    if (lane === undefined) this.lanes.set(name, (lane = new Lane((messages) => this.send(topic, partition, messages))));
    return lane;
  }

  private async send(topic: string, partition: number, messages: Message[]): Promise<void> {
    try {
      const producer = await this.connected();
      const onCluster = this.names.onCluster(topic);
      const result = await producer.send({ topic: onCluster, acks: -1, messages });
      const stored = result.some(
        (entry) => entry.topicName === onCluster && entry.partition === partition && entry.errorCode === 0,
      );
      if (!stored) throw new Error(`the answer does not name ${onCluster}/${partition}`);
    } catch (error) {
      throw toAppError(error);
    }
  }

  private async connected(): Promise<Producer> {
    this.producer ??= this.connect();
    try {
      return await this.producer;
    } catch (error) {
      this.producer = undefined;
      throw error;
    }
  }

  private async connect(): Promise<Producer> {
    const producer = this.kafka.producer({ allowAutoTopicCreation: false, createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    return producer;
  }
}

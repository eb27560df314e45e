import type { OutgoingRecord } from '@weir/bus';
import { Kafka, Partitioners, logLevel, type Message } from 'kafkajs';
import type { Side } from '../bench';

const BATCH = 500;

/**
 * The same records, made beforehand and held in memory, by kafkajs alone: acks=all, in order, each send one topic-partition (several in
 * one lose records when a leader dies), as large as the relay's batches. No database, no checkpoint.
 */
export function bareProducer(brokers: string, topic: string, records: readonly OutgoingRecord[], partitions: number): Side {
  const kafka = new Kafka({ brokers: brokers.split(','), clientId: 'bench/bare', logLevel: logLevel.ERROR });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, allowAutoTopicCreation: false });
  const lanes = new Map<number, Message[]>();
  const choose = Partitioners.DefaultPartitioner();
  for (const { key, value, headers } of records) {
    const partition = choose({ topic, partitionMetadata: new Array(partitions), message: { key, value } });
    lanes.set(partition, [...(lanes.get(partition) ?? []), { key, value, headers: { ...headers }, partition }]);
  }
  return {
    name: 'bare producer, records in memory',
    before: () => producer.connect(),
    async run(seconds) {
      const begun = performance.now();
      const end = begun + seconds * 1_000;
      let sent = 0;
      const lane = async (messages: readonly Message[]) => {
        for (let at = 0; performance.now() < end; at = (at + BATCH) % messages.length) {
          const batch = messages.slice(at, at + BATCH);
          await producer.send({ topic, acks: -1, messages: batch });
          sent += batch.length;
        }
      };
      await Promise.all([...lanes.values()].map(lane));
      return { operations: sent, seconds: (performance.now() - begun) / 1_000 };
    },
    check: () => producer.disconnect(),
  };
}

import { withinGrace } from '../grace';
import type { Bus, ConsumerSpec, FollowSpec, ParkingLot } from '../port';
import { ReleaseWatch } from '../release-watch';
import { createClient } from './client';
import { KafkaConsumption } from './consumption';
import { DeclaredTopics } from './declared-topics';
import { toAppError, within } from './errors';
import { KafkaFollower } from './follower';
import { Names } from './names';
import { Publisher } from './publisher';
import { Topics } from './topics';

const PING_MS = 2_000;
const CLOSE_GRACE_MS = 5_000;

export interface KafkaBusOptions {
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Without one a bad message is tried for ever and its partition waits. */
  readonly parking?: ParkingLot;
  readonly onError?: (error: Error) => void;
  /** Put before topic and group names and taken off what is handed out: several installations, or tests, on one cluster. */
  readonly prefix?: string;
}

/** The bus on Kafka, through kafkajs. Connects with the first use of each half. */
export function kafkaBus({ brokers, clientId, parking, onError = () => undefined, prefix = '' }: KafkaBusOptions): Bus {
  const kafka = createClient(brokers, clientId, onError);
  const names = new Names(prefix);
  const topics = new Topics(kafka, names);
  const declared = new DeclaredTopics(topics, names);
  const publisher = new Publisher(kafka, topics, names);
  const releases = new ReleaseWatch(parking, onError);
  const open = new Set<{ stop(): Promise<void>; gone(): Promise<void> }>();

  return {
    publish: (records) => publisher.publish(records),

    async consume(spec: ConsumerSpec) {
      try {
        await topics.partitionCounts(spec.topics);
        const consumption = new KafkaConsumption(spec, { kafka, topics, names, releases, parking, onError });
        await consumption.start();
        open.add(consumption);
        return consumption;
      } catch (error) {
        throw toAppError(error);
      }
    },

    async follow(spec: FollowSpec) {
      try {
        await topics.partitionCounts(spec.topics);
        const follower = new KafkaFollower(spec, { kafka, topics, names, onError });
        await follower.start();
        open.add(follower);
        return follower;
      } catch (error) {
        throw toAppError(error);
      }
    },

    async ensureTopics(specs) {
      return declared.ensure(specs).catch((error: unknown) => {
        throw toAppError(error);
      });
    },

    async checkTopics(specs) {
      return declared.check(specs).catch((error: unknown) => {
        throw toAppError(error);
      });
    },

    async ping() {
      await within(PING_MS, topics.ping()).catch((error: unknown) => {
        throw toAppError(error);
      });
    },

    async close() {
      await Promise.all([...open].map((reader) => reader.stop()));
      const gone = Promise.all([...open].map((reader) => reader.gone()));
      await Promise.all([withinGrace(gone, CLOSE_GRACE_MS), publisher.close(CLOSE_GRACE_MS)]);
      await topics.close();
    },
  };
}

import { kafkaBus, type Bus } from '@weir/bus';
import { sleep } from '@weir/kernel';
import { startKafkaCluster, type KafkaCluster } from '@weir/stack';
import { Kafka, logLevel, type Admin } from 'kafkajs';
import { invariant, type Invariant, type Scenario } from '../scenario';
import { Readings } from './readings';
import { IN_FLIGHT, TOPIC, Writers } from './writers';

const PARTITIONS = 12;
const GOES_ON_WITHIN_MS = 15_000;
const WHOLE_WITHIN_MS = 60_000;
const DRAINED_WITHIN_MS = 60_000;

/** Three brokers, and the leader of partitions that are being written killed again and again. */
export const brokers: Scenario = {
  name: 'brokers',
  title: 'three Kafka brokers, a leader killed -9 under load, again once all replicas are in sync',
  times: 10,
  async run({ times, random, directory, progress }) {
    const cluster = await startKafkaCluster({ brokers: 3, dataDir: directory, environment: process.env, progress });
    const bus = kafkaBus({ brokers: cluster.brokers.split(','), clientId: 'chaos' });
    const admin = new Kafka({ brokers: cluster.brokers.split(','), logLevel: logLevel.NOTHING, retry: { retries: 20 } }).admin();
    try {
      await admin.connect();
      await bus.ensureTopics([{ name: TOPIC, partitions: PARTITIONS, cleanup: 'delete', retentionMs: -1, minInsyncReplicas: 2 }]);
      const consumed = new Readings();
      const consumption = await bus.consume({ group: 'weir.chaos.reader', topics: [TOPIC], handle: async (batch) => batch.forEach(consumed.see) });
      const writers = new Writers(bus);
      const stuck: string[] = [];
      for (let kill = 1; kill <= times; kill++) {
        await sleep(1_000 + random() * 1_500);
        const node = await leaderOf(admin, Math.floor(random() * PARTITIONS));
        const before = writers.total;
        await cluster.kill(node);
        await until(() => writers.total > before + IN_FLIGHT, GOES_ON_WITHIN_MS);
        if (writers.total <= before + IN_FLIGHT) stuck.push(`not within ${GOES_ON_WITHIN_MS} ms of kill ${kill}`);
        await sleep(random() * 2_000);
        await cluster.start(node);
        await whole(admin, cluster);
        progress(`kill ${kill} of ${times}: broker ${node}; ${writers.total} acknowledged`);
      }
      await writers.stop();
      await until(() => consumed.has(writers.acknowledged), DRAINED_WITHIN_MS);
      await consumption.stop();
      const stored = await readAll(bus);
      return {
        invariants: [
          ...held('stands in the log', stored, writers),
          ...held('reached its consumer', consumed, writers),
          invariant('publishing goes on with a leader dead', stuck.length === 0, stuck),
        ],
        figures: {
          kills: times,
          acknowledged: writers.total,
          'refused and tried again': writers.refusals,
          'longest pause of a writer, ms': Math.round(writers.longestGapMs),
          'stored twice': stored.repeated,
          'consumed twice': consumed.repeated,
        },
      };
    } finally {
      await admin.disconnect().catch(() => undefined);
      await bus.close();
      await cluster.stop();
    }
  },
};

const held = (what: string, readings: Readings, { acknowledged }: Writers): Invariant[] => [
  invariant(`all that was acknowledged ${what}`, readings.has(acknowledged), readings.missing(acknowledged)),
  invariant(`all that ${what} is in the order of its key`, readings.outOfOrder.length === 0, readings.outOfOrder.slice(0, 20)),
];

async function leaderOf(admin: Admin, partition: number): Promise<number> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [TOPIC] });
  const leader = topics[0]?.partitions.find(({ partitionId }) => partitionId === partition)?.leader ?? -1;
  if (leader < 1) throw new Error(`partition ${partition} has no leader`);
  return leader;
}

/** Every partition, the consumers' own too, has all its replicas in sync. */
async function whole(admin: Admin, { nodes }: KafkaCluster): Promise<void> {
  await until(async () => {
    const { topics } = await admin.fetchTopicMetadata();
    return topics.every(({ partitions }) => partitions.every(({ isr }) => isr.length === nodes.length));
  }, WHOLE_WITHIN_MS);
}

async function readAll(bus: Bus): Promise<Readings> {
  const stored = new Readings();
  const following = await bus.follow({ topics: [TOPIC], apply: stored.see });
  await following.caughtUp();
  await following.stop();
  return stored;
}

/** Ends quietly when the time is over: what is missing then is for the invariants to say. */
async function until(holds: () => boolean | Promise<boolean>, withinMs: number): Promise<void> {
  const end = performance.now() + withinMs;
  while (performance.now() < end && !(await holds())) await sleep(100);
}

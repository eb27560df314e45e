import { Kafka, logLevel } from 'kafkajs';
import { untilReady } from '../process/child';
import { freePort } from '../process/free-port';
import { startBroker } from './kafka-broker';
import { orContainer, untilAnswers, type Container, type Image } from './container';
import { given, type PartContext, type Running } from './part';

export interface KafkaAddress {
  /** host:port, comma-separated. */
  readonly brokers: string;
}

// the settings that a topic of this machine needs; the image's own are those of a cluster of one
const IMAGE: Image = {
  part: 'kafka',
  name: 'apache/kafka:4.4.0',
  port: 9092,
  command: [],
  keeps: '/var/lib/kafka/data',
  environment: (hostPort) => ({
    KAFKA_NODE_ID: '1',
    KAFKA_LOG_DIRS: '/var/lib/kafka/data',
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_LISTENERS: 'PLAINTEXT://:9092,CONTROLLER://:9093',
    KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${hostPort}`,
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
    KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS: '1000',
  }),
};

/** One broker in KRaft mode, in a JVM of some 180 MB. */
export async function startKafka(context: PartContext): Promise<Running<KafkaAddress>> {
  const { environment } = context;
  if (environment['WEIR_KAFKA_BROKERS']) {
    await answers(environment['WEIR_KAFKA_BROKERS']);
    return given({ brokers: environment['WEIR_KAFKA_BROKERS'] });
  }
  return orContainer(context, IMAGE, () => inJvm(context), adopt);
}

async function inJvm(context: PartContext): Promise<Running<KafkaAddress>> {
  const [port, controllerPort] = [await freePort(), await freePort()];
  const broker = await startBroker(context, { name: 'kafka', nodeId: 1, voters: `1@127.0.0.1:${controllerPort}`, replicas: 1, port, controllerPort });
  const brokers = `127.0.0.1:${port}`;
  await untilReady(broker, () => answers(brokers));
  return { brokers, pid: broker.pid, stop: () => broker.stop() };
}

async function adopt({ port, pid, stop }: Container): Promise<Running<KafkaAddress>> {
  const brokers = `127.0.0.1:${port}`;
  await untilAnswers('kafka', () => answers(brokers));
  return { brokers, pid, stop };
}

/** A broker that lets itself be asked for its topics is one that has caught up with its controller. */
export async function answers(brokers: string, count = 1): Promise<void> {
  const kafka = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING, retry: { retries: 0 }, connectionTimeout: 2_000, requestTimeout: 5_000 });
  const admin = kafka.admin();
  try {
    await admin.connect();
    const { brokers: known } = await admin.describeCluster();
    if (known.length < count) throw new Error(`${known.length} of ${count} brokers are registered`);
    await admin.listTopics();
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

import { cpSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { brokerSettings, jvmOptions, kafkaInstallation } from '../install/jars';
import { startChild, untilReady } from '../process/child';
import { freePort } from '../process/free-port';
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

async function inJvm({ environment, cache, progress, ledger, ...context }: PartContext): Promise<Running<KafkaAddress>> {
  const { classPath, formatted, archive } = await kafkaInstallation(cache, progress);
  const dir = join(context.dataDir, 'kafka');
  const dataDir = join(dir, 'data');
  mkdirSync(dir, { recursive: true });
  if (!existsSync(dataDir)) cpSync(formatted, dataDir, { recursive: true });
  const [port, controllerPort] = [await freePort(), await freePort()];
  writeFileSync(join(dir, 'server.properties'), brokerSettings({ port, controllerPort, dataDir }));

  const fresh = `${archive}.${process.pid}`;
  const classes = existsSync(archive) ? `-XX:SharedArchiveFile=${archive}` : `-XX:ArchiveClassesAtExit=${fresh}`;
  const child = await startChild({
    name: 'kafka',
    command: 'java',
    args: ['-Xms64m', '-Xmx512m', ...jvmOptions, classes, '-cp', classPath, 'kafka.Kafka', join(dir, 'server.properties')],
    logFile: join(context.dataDir, 'logs', 'kafka.log'),
    environment: { PATH: environment['PATH'], JAVA_HOME: environment['JAVA_HOME'] },
    graceMs: 20_000,
    ledger,
  });
  const brokers = `127.0.0.1:${port}`;
  await untilReady(child, () => answers(brokers));
  return {
    brokers,
    pid: child.pid,
    stop: async () => {
      await child.stop();
      if (existsSync(fresh)) renameSync(fresh, archive);
    },
  };
}

async function adopt({ port, pid, stop }: Container): Promise<Running<KafkaAddress>> {
  const brokers = `127.0.0.1:${port}`;
  await untilAnswers('kafka', () => answers(brokers));
  return { brokers, pid, stop };
}

/** A broker that lets itself be asked for its topics is one that has caught up with its controller. */
async function answers(brokers: string): Promise<void> {
  const kafka = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING, retry: { retries: 0 }, connectionTimeout: 2_000, requestTimeout: 5_000 });
  const admin = kafka.admin();
  try {
    await admin.connect();
    const { brokers: known } = await admin.describeCluster();
    if (known.length === 0) throw new Error('no broker is registered yet');
    await admin.listTopics();
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

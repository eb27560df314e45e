import { cpSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { brokerSettings, jvmOptions, kafkaInstallation } from '../install/jars';
import { startChild, untilReady } from '../process/child';
import { freePort } from '../process/free-port';
import { given, type PartContext, type Running } from './part';

export interface KafkaAddress {
  /** host:port, comma-separated. */
  readonly brokers: string;
}

/** One broker in KRaft mode, in a JVM of some 180 MB. */
export async function startKafka(context: PartContext): Promise<Running<KafkaAddress>> {
  const { environment, cache, progress, ledger } = context;
  if (environment['WEIR_KAFKA_BROKERS']) {
    await answers(environment['WEIR_KAFKA_BROKERS']);
    return given({ brokers: environment['WEIR_KAFKA_BROKERS'] });
  }
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

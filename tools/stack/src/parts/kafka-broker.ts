import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brokerSettings, jvmOptions, kafkaInstallation, type BrokerSettings } from '../install/jars';
import { startChild, type Child } from '../process/child';
import type { PartContext } from './part';

export type BrokerOptions = Omit<BrokerSettings, 'dataDir'> & { readonly name: string; readonly graceMs?: number };

/** A broker in a JVM of some 160 MB, on what an earlier start left in `<data dir>/<name>`. Not ready yet. */
export async function startBroker({ environment, cache, progress, ledger, ...context }: PartContext, { name, graceMs = 20_000, ...options }: BrokerOptions): Promise<Child> {
  const { classPath, formatted, archive } = await kafkaInstallation(cache, progress);
  const dir = join(context.dataDir, name);
  const dataDir = join(dir, 'data');
  mkdirSync(dir, { recursive: true });
  if (!existsSync(dataDir)) {
    cpSync(formatted, dataDir, { recursive: true });
    claim(join(dataDir, 'meta.properties'), options.nodeId);
  }
  writeFileSync(join(dir, 'server.properties'), brokerSettings({ ...options, dataDir }));

  const fresh = `${archive}.${process.pid}`;
  const classes = existsSync(archive) ? `-XX:SharedArchiveFile=${archive}` : `-XX:ArchiveClassesAtExit=${fresh}`;
  const child = await startChild({
    name,
    command: 'java',
    args: ['-Xms64m', '-Xmx512m', ...jvmOptions, classes, '-cp', classPath, 'kafka.Kafka', join(dir, 'server.properties')],
    logFile: join(context.dataDir, 'logs', `${name}.log`),
    environment: { PATH: environment['PATH'], JAVA_HOME: environment['JAVA_HOME'] },
    graceMs,
    ledger,
  });
  return {
    ...child,
    stop: async () => {
      await child.stop();
      if (existsSync(fresh)) renameSync(fresh, archive);
    },
  };
}

/** A formatted directory is a node's: its number, and an id of its own for Kafka to tell directories apart. */
function claim(metaFile: string, nodeId: number): void {
  const meta = readFileSync(metaFile, 'utf8');
  writeFileSync(metaFile, meta.replace(/^node\.id=.*$/m, `node.id=${nodeId}`).replace(/^directory\.id=.*$/m, `directory.id=${randomBytes(16).toString('base64url')}`));
}

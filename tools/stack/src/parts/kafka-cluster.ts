import { join, resolve } from 'node:path';
import { cacheDir, type Progress } from '../install/cache';
import { untilReady, type Child } from '../process/child';
import { freePort } from '../process/free-port';
import { openLedger } from '../process/ledger';
import { answers } from './kafka';
import { startBroker } from './kafka-broker';
import type { Environment, PartContext } from './part';

export interface KafkaClusterOptions {
  readonly brokers: number;
  readonly dataDir: string;
  /** `WEIR_STACK_CACHE`; `PATH` and `JAVA_HOME` of Java. */
  readonly environment: Environment;
  readonly progress?: Progress;
}

/** Brokers to break: each keeps its port and its disk. */
export interface KafkaCluster {
  /** host:port of each, comma-separated. */
  readonly brokers: string;
  /** Node ids, from 1. */
  readonly nodes: readonly number[];
  pid(node: number): number;
  /** SIGKILL; resolves when it is gone. */
  kill(node: number): Promise<void>;
  /** Starts it again; resolves when it answers. */
  start(node: number): Promise<void>;
  stop(): Promise<void>;
}

// the last of several never ends on SIGTERM: its controller has lost the majority that would let it go
const GRACE_MS = 5_000;

/** A cluster of combined brokers and controllers in a directory of its own. */
export async function startKafkaCluster(options: KafkaClusterOptions): Promise<KafkaCluster> {
  const { environment, progress = () => undefined } = options;
  const dataDir = resolve(options.dataDir);
  const ledger = await openLedger(dataDir);
  const context: PartContext = { dataDir, cache: cacheDir(environment), environment, durable: true, ledger, progress };
  const nodes = Array.from({ length: options.brokers }, (_, index) => index + 1);
  const ports = new Map<number, { port: number; controllerPort: number }>();
  for (const node of nodes) ports.set(node, { port: await freePort(), controllerPort: await freePort() });
  const portsOf = (node: number) => ports.get(node) as { port: number; controllerPort: number };
  const voters = nodes.map((node) => `${node}@127.0.0.1:${portsOf(node).controllerPort}`).join();
  const addressOf = (node: number) => `127.0.0.1:${portsOf(node).port}`;
  const running = new Map<number, Child>();
  const childOf = (node: number) => running.get(node) as Child;

  const launch = async (node: number) => {
    const child = await startBroker(context, { name: `kafka-${node}`, nodeId: node, voters, replicas: nodes.length, ...portsOf(node), graceMs: GRACE_MS });
    running.set(node, child);
    return child;
  };
  const start = async (node: number) => untilReady(await launch(node), () => answers(addressOf(node)));
  const stop = async () => {
    await Promise.all([...running.values()].map((child) => child.stop()));
    ledger.close();
  };
  try {
    // together: one controller alone has no majority and answers nothing
    await Promise.all(nodes.map(async (node) => untilReady(await launch(node), () => answers(addressOf(node), nodes.length))));
  } catch (error) {
    await stop();
    throw error;
  }
  progress(`${nodes.length} Kafka brokers, logs in ${join(dataDir, 'logs')}`);
  return {
    brokers: nodes.map(addressOf).join(),
    nodes,
    pid: (node) => childOf(node).pid,
    kill: async (node) => {
      process.kill(childOf(node).pid, 'SIGKILL');
      await childOf(node).exited;
    },
    start,
    stop,
  };
}

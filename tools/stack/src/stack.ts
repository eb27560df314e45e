import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { mintToken } from '@weir/access';
import { AppError } from '@weir/kernel';
import { Health, assertListenable, parseSettings, startManagement } from '@weir/service-host';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { settings, type StackConfig } from './config';
import { ensureDemo, type DemoTenant } from './demo';
import { startDistributed, type Distributed } from './distributed';
import { repository, type Progress } from './install/cache';
import type { StackOptions } from './options';
import type { Environment } from './parts/part';
import { startParts, type Parts } from './parts';
import { describeParts, describeServices, readStackFile, writeStackFile, type StackFile } from './stack-file';

export interface Stack {
  readonly file: StackFile;
  /** No earlier run had made an operator's token, and none was given. */
  readonly madeOperatorToken: boolean;
  /** Starts the services that are down, at their old addresses. */
  startAgain(): Promise<void>;
  stop(): Promise<void>;
}

/** Parts below `<data dir>/stack`, so that standalone may use the same data directory. */
const partsDir = (dataDir: string): string => join(resolve(dataDir), 'stack');

/** The servers alone. */
export async function startOnly(options: StackOptions, environment: Environment, progress: Progress): Promise<Parts> {
  const parts = await startParts({ only: options.only ?? [], dataDir: partsDir(options.dataDir), environment, progress });
  writeStackFile(options.dataDir, { ...readStackFile(options.dataDir), services: {}, ...describeParts(parts) });
  return parts;
}

/** Servers, services, edge and demo. When one cannot start, what had been started is stopped. */
export async function startStack(options: StackOptions, environment: Environment, progress: Progress): Promise<Stack> {
  if (!existsSync(join(repository(), 'dist', 'services'))) throw new AppError('not-built', 'invalid', 'there is nothing in dist/: npm run prepare');
  const config = parseSettings(settings, environment);
  const { port, managementPort } = config;
  // before anything is started: it takes its time, and this is known at once
  await assertListenable('127.0.0.1', port, 'WEIR_PORT');
  await assertListenable('127.0.0.1', managementPort, 'WEIR_MANAGEMENT_PORT');
  const before = readStackFile(options.dataDir);
  const given = config.operatorToken ?? before.operatorToken;
  const operatorToken = given ?? mintToken({ mode: 'live' }).token;

  const dataDir = partsDir(options.dataDir);
  const parts = await startParts({ dataDir, environment, progress });
  const stops: (() => Promise<void>)[] = [parts.stop];
  const stop = async () => {
    for (const undo of stops.splice(0)) await undo();
  };
  try {
    const { replicas } = options;
    const distributed = await startDistributed({ parts, dataDir, environment, operatorToken, port, replicas, progress });
    stops.unshift(distributed.stop);
    const management = await startManagement({ host: '127.0.0.1', port: managementPort, health: healthOf(distributed), metrics: ownMetrics() });
    stops.unshift(management.close);

    const write = (tenants: StackFile['tenants']): StackFile => {
      const file: StackFile = {
        url: distributed.url,
        managementUrl: management.url,
        simulatorUrl: distributed.simulator.url,
        operatorToken,
        tenants,
        pid: process.pid,
        services: describeServices(distributed),
        ...describeParts(parts, distributed.databaseUrl),
      };
      writeStackFile(options.dataDir, file);
      return file;
    };
    const known = before.tenants ?? [];
    // also before the demo: should that fail or be cut off, the operator's token is not lost
    write(known);
    const tenants = config.demo === 'off' ? known : await demo(distributed, operatorToken, config, known);
    const startAgain = async () => {
      await distributed.startAgain();
      write(tenants);
    };
    return { file: write(tenants), madeOperatorToken: given === undefined, startAgain, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function demo({ url, simulator }: Distributed, operatorToken: string, { upstreamUrl }: StackConfig, known: StackFile['tenants']): Promise<DemoTenant[]> {
  return ensureDemo({ url, operatorToken, simulatorUrl: upstreamUrl === undefined ? simulator.url : undefined, known });
}

/** Ready when every service has a replica that is. */
function healthOf({ services }: Distributed): Health {
  const health = new Health();
  health.notReady = undefined;
  for (const [name, replicas] of services) {
    health.add(name, async () => {
      const answers = await Promise.all(replicas.map(({ managementUrl }) => fetch(`${managementUrl}/readyz`).then(({ ok }) => ok, () => false)));
      const ready = answers.filter((ok) => ok).length;
      const detail = `${ready} of ${replicas.length} replicas are ready`;
      return ready === 0 ? { state: 'failed', detail } : ready < replicas.length ? { state: 'degraded', detail } : { state: 'ok' };
    });
  }
  return health;
}

function ownMetrics(): Registry {
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics });
  return metrics;
}

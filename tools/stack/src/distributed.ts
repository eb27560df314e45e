import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { SERVICES, ensureDatabase, type ServiceName } from '@weir/tenancy';
import { environmentOf, type Surroundings } from './distributed/environment';
import { migrate } from './distributed/migrate';
import { remembered } from './distributed/secrets';
import { ServiceProcess, type ServiceProcessOptions } from './distributed/service-process';
import { startSimulatorProcess, type SimulatorProcess } from './distributed/simulator-process';
import { startEdge, type Edge } from './edge/edge';
import { repository, type Progress } from './install/cache';
import type { Environment } from './parts/part';
import type { Parts } from './parts';

export interface DistributedOptions {
  readonly parts: Parts;
  /** Logs, the services' local files, generated secrets. */
  readonly dataDir: string;
  readonly environment: Environment;
  readonly operatorToken: string;
  /** Of the edge; 0 takes any free one. */
  readonly port?: number;
  /** Default 1 of each. */
  readonly replicas?: Partial<Record<ServiceName, number>>;
  /** For several on the same parts: a database, a Redis database and a prefix of topics of their own. */
  readonly database?: string;
  readonly redisUrl?: string;
  readonly topicPrefix?: string;
  /** Logins belong to the cluster: who shares one shares their password. Default: made once per data directory. */
  readonly loginPassword?: string;
  readonly progress?: Progress;
}

export interface Distributed {
  readonly url: string;
  /** As the superuser. */
  readonly databaseUrl: string;
  readonly simulator: SimulatorProcess;
  readonly services: ReadonlyMap<ServiceName, readonly ServiceProcess[]>;
  /** One replica; counts from 1. Its `kill`, `stop` and `start` may be called in turn. */
  service(name: ServiceName, replica?: number): ServiceProcess;
  /** Starts every replica that is down, at its old address. */
  startAgain(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * The distributed shape on one machine: a process per service over the given parts, the simulator, an edge that routes by path.
 * Runs what is in dist/.
 *
 * @throws AppError `start-failed` naming the log; what had been started is stopped
 */
export async function startDistributed(options: DistributedOptions): Promise<Distributed> {
  const { parts, environment, progress = () => undefined } = options;
  const dataDir = resolve(options.dataDir);
  const codeDir = join(repository(), 'dist');
  const logDir = join(dataDir, 'logs');
  const loginPassword = options.loginPassword ?? remembered(join(dataDir, 'login-password'), () => randomBytes(24).toString('base64url'));
  const topicPrefix = options.topicPrefix ?? '';

  const databaseUrl = await ensureDatabase(parts.postgres.adminUrl, options.database ?? 'weir');
  await migrate(codeDir, {
    PATH: environment['PATH'],
    KAFKAJS_NO_PARTITIONER_WARNING: '1',
    WEIR_POSTGRES_ADMIN_URL: databaseUrl,
    WEIR_LOGIN_PASSWORD: loginPassword,
    WEIR_CLUSTERS: environment['WEIR_CLUSTERS'],
    WEIR_KAFKA_BROKERS: parts.kafka.brokers,
    WEIR_TOPIC_PREFIX: topicPrefix,
  });
  progress('database and topics prepared');

  const started: { stop(): Promise<void> }[] = [];
  try {
    const simulator = await startSimulatorProcess({ codeDir, dataDir, logDir, environment, ledger: parts.ledger });
    started.push(simulator);
    progress(`simulator ready at ${simulator.url}`);
    const around: Surroundings = {
      parts,
      databaseUrl,
      loginPassword,
      redisUrl: options.redisUrl ?? parts.redis.url,
      topicPrefix,
      simulatorUrl: simulator.url,
      operatorToken: options.operatorToken,
      environment,
    };
    const services = await prepareProcesses(options.replicas ?? {}, (service, replica) => ({
      service,
      replica,
      environment: environmentOf(service, around),
      codeDir,
      dataDir: join(dataDir, 'services'),
      logDir,
      ledger: parts.ledger,
      onDeath: ({ name, logFile }, how) => progress(`${name} ended with ${how} and stays down; its log: ${logFile}`),
    }));
    const processes = [...services.values()].flat();
    started.push(...processes);
    await Promise.all(processes.map((replica) => timed(replica, progress)));
    const addresses = new Map([...services].map(([name, replicas]) => [name, replicas.map(({ url }) => url)]));
    const edge = await startEdge({ host: '127.0.0.1', port: options.port ?? 0, replicas: addresses });
    return {
      url: edge.url,
      databaseUrl,
      simulator,
      services,
      service: pick(services),
      startAgain: async () => void (await Promise.all(processes.filter(({ pid }) => pid === undefined).map((replica) => timed(replica, progress)))),
      stop: () => stopAll(edge, processes, simulator),
    };
  } catch (error) {
    await Promise.all(started.map((part) => part.stop()));
    throw error;
  }
}

async function prepareProcesses(
  replicas: Partial<Record<ServiceName, number>>,
  optionsOf: (service: ServiceName, replica: number) => ServiceProcessOptions,
): Promise<Map<ServiceName, ServiceProcess[]>> {
  const services = new Map<ServiceName, ServiceProcess[]>();
  for (const service of SERVICES) {
    const all: ServiceProcess[] = [];
    for (let replica = 1; replica <= (replicas[service] ?? 1); replica++) all.push(await ServiceProcess.of(optionsOf(service, replica)));
    services.set(service, all);
  }
  return services;
}

async function timed(replica: ServiceProcess, progress: Progress): Promise<void> {
  const begun = Date.now();
  await replica.start();
  progress(`${replica.name} ready in ${((Date.now() - begun) / 1_000).toFixed(1)} s`);
}

const pick =
  (services: ReadonlyMap<ServiceName, readonly ServiceProcess[]>) =>
  (name: ServiceName, replica = 1): ServiceProcess => {
    const found = services.get(name)?.[replica - 1];
    if (found === undefined) throw new RangeError(`there is no replica ${replica} of ${name}`);
    return found;
  };

/** From the outside in: no new calls, then those who answer them, then what they call. */
async function stopAll(edge: Edge, processes: readonly ServiceProcess[], simulator: SimulatorProcess): Promise<void> {
  await edge.close();
  await Promise.all(processes.map((replica) => replica.stop()));
  await simulator.stop();
}

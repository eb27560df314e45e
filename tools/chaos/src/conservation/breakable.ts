import { join } from 'node:path';
import { sleep } from '@weir/kernel';
import { startKafkaCluster, startParts, startPostgres, type Parts, type RunningPostgres } from '@weir/stack';

/** Something that can be killed without a word, and started again where it was. */
export interface Victim {
  readonly name: string;
  kill(): Promise<void>;
  start(): Promise<void>;
}

export interface Breakable {
  /** For startDistributed: given servers, and a KMS endpoint that nobody kills. */
  readonly parts: Parts;
  readonly victims: readonly Victim[];
  stop(): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;
const START_TRIES = 40;

/** Postgres, Kafka and Redis, each on a disk and a port that outlive it. */
export async function startBreakable(directory: string, environment: Environment, progress: (line: string) => void): Promise<Breakable> {
  const postgres = await breakablePostgres(join(directory, 'postgres'));
  const kafka = await startKafkaCluster({ brokers: 1, dataDir: join(directory, 'kafka'), environment, progress });
  const redis = await breakableRedis(join(directory, 'redis'), environment);
  const parts = await startParts({
    dataDir: join(directory, 'parts'),
    environment: { ...environment, WEIR_POSTGRES_ADMIN_URL: postgres.adminUrl, WEIR_KAFKA_BROKERS: kafka.brokers, WEIR_REDIS_URL: redis.url },
    progress,
  });
  return {
    parts,
    victims: [{ name: 'kafka', kill: () => kafka.kill(1), start: () => kafka.start(1) }, redis, postgres],
    stop: async () => {
      await parts.stop();
      await Promise.all([kafka.stop(), redis.stop(), postgres.stop()]);
    },
  };
}

async function breakablePostgres(dataDir: string) {
  const launch = (port?: number) =>
    startPostgres({ dataDir, ...(port === undefined ? {} : { port }), settings: { max_connections: 300, max_locks_per_transaction: 512 } });
  let server: RunningPostgres = await launch();
  const { port, adminUrl } = server;
  return {
    name: 'postgres',
    adminUrl,
    kill: () => killed(server.pid),
    // its children may hold its memory for a moment longer
    start: () => patiently(async () => void (server = await launch(port))),
    stop: () => server.stop(),
  };
}

/** @param durable whether it has what it had when it is started again, or begins with nothing */
export async function breakableRedis(dataDir: string, environment: Environment, durable = true): Promise<Victim & { readonly url: string; stop(): Promise<void> }> {
  const launch = (port?: string) => startParts({ only: ['redis'], dataDir, durable, environment: { ...environment, ...(port === undefined ? {} : { WEIR_STACK_REDIS_PORT: port }) } });
  let server = await launch();
  const { url } = server.redis;
  return {
    name: 'redis',
    url,
    kill: () => killed(server.redis.pid),
    start: () =>
      patiently(async () => {
        server = await launch(new URL(url).port);
        if (server.redis.url === url) return;
        await server.stop();
        throw new Error('the port was not free yet');
      }),
    stop: () => server.stop(),
  };
}

async function killed(pid: number | undefined): Promise<void> {
  if (pid === undefined) throw new Error('only what was started here can be killed');
  process.kill(pid, 'SIGKILL');
  while (isAlive(pid)) await sleep(10);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** As who supervises a deployment does: what cannot start without something that is down now is started again. */
export async function patiently(start: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await start();
    } catch (error) {
      if (tries === START_TRIES) throw error;
      await sleep(250);
    }
  }
}

import { kafkaBus, type Bus } from '@weir/bus';
import { TOPICS } from '@weir/contracts';
import { commonSettings, createLogger, createProcess, createRuntime, parseSettings, startHost, type Durations } from '@weir/service-host';
import { createPool } from '@weir/tenancy';
import { definition } from '@weir/upstream-fetcher';
import type { Registry } from 'prom-client';
import { sinkBus } from './sink-bus';
import { world } from './states';

/** What a fetcher of the bench is told: argv[2], as JSON. */
export interface WeirOptions {
  readonly directory: string;
  readonly tenants: number;
  /** Undefined: a bus within the process. */
  readonly kafkaBrokers: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

/** What it says when it is ready. */
export interface WeirReady {
  readonly port: number;
  readonly tokens: readonly string[];
}

/** What it answers to `'figures'`: how long calls waited for the bus to take their holds since the last time, in ms; memory now, in MiB. */
export interface WeirFigures {
  readonly holdP50: number;
  readonly holdP99: number;
  readonly rss: number;
  readonly heap: number;
}

/**
 * The fetcher's own service, host and routes, as its main.ts runs it, but for the bus and for the other services, whose states are said here.
 * No database: nothing that is measured asks one.
 */
async function main(options: WeirOptions): Promise<void> {
  const config = parseSettings(
    { ...commonSettings, ...definition.settings },
    {
      WEIR_PORT: '0',
      WEIR_MANAGEMENT_PORT: '0',
      WEIR_POSTGRES_URL: 'postgres://nobody@127.0.0.1:1/none',
      WEIR_DATA_DIR: options.directory,
      WEIR_KEY_ENCRYPTION: 'local',
      WEIR_KEY_FILE: `${options.directory}/key-encryption.key`,
      WEIR_LIMITER: 'memory',
      WEIR_LOG_LEVEL: 'warn',
      WEIR_ROLES: 'http',
      ...options.environment,
    },
  );
  const log = createLogger(config, definition.name);
  const bus: Bus =
    options.kafkaBrokers === undefined ? sinkBus() : kafkaBus({ brokers: options.kafkaBrokers.split(','), clientId: 'bench', prefix: config.topicPrefix });
  await bus.ensureTopics(TOPICS);
  const { records, tokens } = await world(options.tenants, `${options.directory}/key-encryption.key`);
  await bus.publish(records);

  const process_ = createProcess({ config, log, bus });
  const runtime = createRuntime(process_, definition.name, config, createPool({ url: config.postgresUrl, name: definition.name, max: 1 }));
  const parts = await definition.create(runtime, config);
  const host = await startHost({ ...config, title: 'bench', version: '0', process: process_, services: [{ runtime, parts }] });
  process.on('message', () => void figures(process_.metrics).then((said) => process.send?.(said)));
  process.send?.({ port: Number(new URL(host.url).port), tokens } satisfies WeirReady);
}

async function figures(metrics: Registry): Promise<WeirFigures> {
  const holds = metrics.getSingleMetric('weir_hold_seconds') as unknown as Durations;
  const { values } = await holds.get();
  holds.reset();
  const buckets = values.flatMap(({ metricName, labels, value }) => (metricName === 'weir_hold_seconds_bucket' ? [{ le: Number(labels['le'] === '+Inf' ? Infinity : labels['le']), count: value }] : []));
  const { rss, heapUsed } = process.memoryUsage();
  return { holdP50: quantile(buckets, 0.5), holdP99: quantile(buckets, 0.99), rss: rss / 2 ** 20, heap: heapUsed / 2 ** 20 };
}

/** In ms, between the bounds of the bucket that it falls into. */
function quantile(buckets: readonly { le: number; count: number }[], share: number): number {
  const wanted = (buckets.at(-1)?.count ?? 0) * share;
  let below = { le: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= wanted && bucket.count > below.count) {
      const top = bucket.le === Infinity ? below.le : bucket.le;
      return 1_000 * (below.le + ((top - below.le) * (wanted - below.count)) / (bucket.count - below.count));
    }
    below = bucket;
  }
  return NaN;
}

void main(JSON.parse(process.argv[2] ?? '') as WeirOptions).catch((error: unknown) => {
  process.stderr.write(`${String((error as Error).stack)}\n`);
  process.exit(1);
});

import { performance } from 'node:perf_hooks';
import { kafkaBus, type Bus } from '@weir/bus';
import { TOPICS } from '@weir/contracts';
import { commonSettings, createLogger, createProcess, createRuntime, parseSettings, startHost } from '@weir/service-host';
import { createPool } from '@weir/tenancy';
import { definition } from '@weir/upstream-fetcher';
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

/** What it answers to `'figures'`: since the last time, waits for the bus to take a hold, in ms; memory now, in MiB. */
export interface WeirFigures {
  readonly publishP50: number;
  readonly publishP99: number;
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

  const waits: number[] = [];
  const timed: Bus = Object.assign(Object.create(bus) as Bus, {
    publish: async (batch: Parameters<Bus['publish']>[0]) => {
      const begun = performance.now();
      await bus.publish(batch);
      const tookMs = performance.now() - begun;
      if (batch[0]?.topic === 'weir.usage') waits.push(tookMs);
    },
  });
  const process_ = createProcess({ config, log, bus: options.kafkaBrokers === undefined ? bus : timed });
  const runtime = createRuntime(process_, definition.name, config, createPool({ url: config.postgresUrl, name: definition.name, max: 1 }));
  const parts = await definition.create(runtime, config);
  const host = await startHost({ ...config, title: 'bench', version: '0', process: process_, services: [{ runtime, parts }] });
  process.on('message', () => process.send?.(figures(waits.splice(0))));
  process.send?.({ port: Number(new URL(host.url).port), tokens } satisfies WeirReady);
}

function figures(waits: number[]): WeirFigures {
  waits.sort((a, b) => a - b);
  const at = (share: number) => waits[Math.floor(waits.length * share)] ?? 0;
  const { rss, heapUsed } = process.memoryUsage();
  return { publishP50: at(0.5), publishP99: at(0.99), rss: rss / 2 ** 20, heap: heapUsed / 2 ** 20 };
}

void main(JSON.parse(process.argv[2] ?? '') as WeirOptions).catch((error: unknown) => {
  process.stderr.write(`${String((error as Error).stack)}\n`);
  process.exit(1);
});

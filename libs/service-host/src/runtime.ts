import type { Pool } from 'pg';
import pino, { type Logger } from 'pino';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { Access, StateReader } from '@weir/access';
import { kafkaBus, postgresBus, postgresParkingLot, type Bus } from '@weir/bus';
import { eventLog, type EventLog } from '@weir/event-store';
import { AppError, systemClock, type Clock } from '@weir/kernel';
import { assertUnprivileged, collectBundle, createPool, neededBy, openClusters, unitOfWork, type Databases, type ServiceName, type UnitOfWork } from '@weir/tenancy';
import { countedBus } from './bus-metrics';
import type { CommonConfig } from './config';
import { Health } from './health';
import { stopEach } from './stops';

/** What a process has once, however many services live in it. */
export interface Process {
  readonly log: Logger;
  readonly clock: Clock;
  readonly metrics: Registry;
  readonly health: Health;
  readonly bus: Bus;
  readonly states: StateReader;
  readonly access: Access;
}

/** What one service is given. */
export interface ServiceRuntime extends Process {
  readonly name: ServiceName;
  readonly common: CommonConfig;
  /** Of the home database. */
  readonly pool: Pool;
  /** The home database and the clusters. */
  readonly databases: Databases;
  /** Tenant migrations that this service's code was written for. */
  readonly needs: readonly string[];
  readonly work: UnitOfWork;
  readonly events: EventLog;
  /** Runs at shutdown, after requests and consumers have ended, last added first. */
  onStop(stop: () => Promise<void> | void): void;
  stopAll(): Promise<void>;
}

export function createLogger(config: Pick<CommonConfig, 'logLevel'>, name: string, destination?: pino.DestinationStream): Logger {
  const options: pino.LoggerOptions = {
    name,
    level: config.logLevel,
    base: { name },
    // a header or a field that can hold a secret never reaches a line
    serializers: { err: loggable, error: loggable },
    redact: { paths: ['*.authorization', '*["x-api-key"]', '*.token', '*.key', '*.secret', '*.password'], censor: '[redacted]' },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

/** Errors of drivers carry whole clients and what they were sent: a line has the message, the code and where it was. */
function loggable(thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return thrown;
  const { code, category } = thrown as { code?: unknown; category?: unknown };
  return { type: thrown.name, message: thrown.message, code, category, stack: thrown.stack, ...(thrown.cause === undefined ? {} : { cause: loggable(thrown.cause) }) };
}

/** More than the 30 s after which the server itself ends a service's statement: only a network that lost its other half takes longer. */
const ANSWER_WITHIN_MS = 40_000;

export async function openPool(runtime: { name: ServiceName; common: CommonConfig; log: Logger }): Promise<Pool> {
  const pool = createPool({
    url: runtime.common.postgresUrl,
    name: runtime.name,
    max: runtime.common.postgresPoolSize,
    answerWithinMs: ANSWER_WITHIN_MS,
    onError: (error) => runtime.log.warn({ err: error }, 'an idle database connection was lost'),
  });
  await assertUnprivileged(pool).catch((error: unknown) => {
    if (error instanceof AppError) throw error;
    throw new AppError('database-unavailable', 'unavailable', `the database cannot be reached: ${(error as Error).message}`, { cause: error });
  });
  return pool;
}

export function openBus(config: CommonConfig, name: ServiceName, pool: Pool, log: Logger): Bus {
  const parking = postgresParkingLot({ pool, service: name });
  const onError = (error: Error) => log.warn({ err: error }, 'bus');
  if (config.bus === 'postgres') {
    return postgresBus({ pool, directUrl: config.postgresDirectUrl ?? config.postgresUrl, parking, onError });
  }
  if (config.kafkaBrokers === undefined) {
    throw new AppError('bad-configuration', 'invalid', 'bad configuration: WEIR_KAFKA_BROKERS must be set when WEIR_BUS is kafka');
  }
  return kafkaBus({ brokers: config.kafkaBrokers.split(','), clientId: `weir-${name}`, parking, onError, prefix: config.topicPrefix });
}

export function createProcess(options: { config: CommonConfig; log: Logger; bus: Bus; clock?: Clock }): Process {
  const { config, log, clock = systemClock } = options;
  const metrics = new Registry();
  const bus = countedBus(options.bus, metrics);
  collectDefaultMetrics({ register: metrics });
  const states = new StateReader({ bus, clock, staleAfterMs: config.staleAfterMs, onError: (error) => log.error({ err: error }, 'state reader') });
  const access = new Access(states, clock, config.operatorToken);
  const health = new Health();
  // commands go into the logs and wait there for the relay: a bus that is away must not take every replica out of the edge's sight (E7)
  health.add('bus', async () => {
    await bus.ping();
    return { state: 'ok' };
  }, { worst: 'degraded' });
  health.add('states', () => {
    if (!states.ready) return { state: 'failed', detail: 'reading the state topics' };
    const ageMs = Math.round(states.ageMs());
    return states.stale ? { state: 'degraded', ageMs, detail: 'stale: calls are answered 503 stale-state' } : { state: 'ok', ageMs };
  });
  return { log, clock, metrics, health, bus, states, access };
}

export function createRuntime(process: Process, name: ServiceName, common: CommonConfig, pool: Pool): ServiceRuntime {
  const databases = openClusters(pool, common.clusters, {
    url: common.postgresUrl,
    name,
    max: common.postgresPoolSize,
    answerWithinMs: ANSWER_WITHIN_MS,
    onError: (error) => process.log.warn({ err: error }, 'an idle connection to a cluster was lost'),
  });
  const needs = neededBy(name, collectBundle());
  const work = unitOfWork(databases, name, { needs });
  const stops: (() => Promise<void> | void)[] = [];
  process.health.add(`database ${name}`, async () => {
    await pool.query('select 1');
    return { state: 'ok' };
  });
  return {
    ...process,
    log: process.log.child({ service: name }),
    name,
    common,
    pool,
    databases,
    needs,
    work,
    events: eventLog(work),
    onStop: (stop) => void stops.unshift(stop),
    stopAll: async () => {
      await stopEach([...stops, ...[pool, ...databases.clusters.values()].map((one) => () => one.end())]);
    },
  };
}

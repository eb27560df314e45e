import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { mintToken } from '@weir/access';
import { postgresBus, postgresParkingLot } from '@weir/bus';
import { TOPICS } from '@weir/contracts';
import { WEIR_VERSION, sleep } from '@weir/kernel';
import { memoryLimiterStore } from '@weir/limiter';
import { assertListenable, createLogger, createProcess, startHost, type CommonConfig, type Environment, type Host } from '@weir/service-host';
import { ensureDemo, startPostgres } from '@weir/stack';
import { collectBundle, createPool, ensureDatabase, loginOf, prepareDatabase, MIGRATOR } from '@weir/tenancy';
import { startSimulator } from '@weir/tiklive-simulator';
import { Undo } from './undo';
import type { StandaloneConfig } from './config';
import { openDataDir, readStandaloneFile, writeStandaloneFile, type StandaloneFile } from './data-dir';
import { mountServices, type Mounted } from './services';

const QUIET_WITHIN_MS = 15_000;

export interface Standalone {
  readonly file: StandaloneFile;
  /** No earlier start had made an operator's token, and none was configured. */
  readonly madeOperatorToken: boolean;
  stop(): Promise<void>;
}

/** Everything in one process: embedded Postgres, the bus on it, limits in memory, a local key file, the simulator as the upstream. */
export async function startStandalone(config: StandaloneConfig, environment: Environment): Promise<Standalone> {
  const undo = new Undo();
  try {
    return await start(config, environment, undo);
  } catch (error) {
    await undo.all().catch(() => undefined);
    throw error;
  }
}

async function start(config: StandaloneConfig, environment: Environment, undo: Undo): Promise<Standalone> {
  openDataDir(config.dataDir);
  const before = readStandaloneFile(config.dataDir);
  const operatorToken = config.operatorToken ?? before?.operatorToken ?? mintToken({ mode: 'live' }).token;
  const log = createLogger(config, 'standalone');

  const database = await startDatabase(config);
  undo.add(() => database.stop());
  await assertListenable(config.host, config.port, 'WEIR_PORT');
  await assertListenable(config.host, config.managementPort, 'WEIR_MANAGEMENT_PORT');
  await assertListenable(config.host, config.simulatorPort, 'WEIR_SIMULATOR_PORT');
  const simulator = await startSimulator({
    host: config.host,
    port: config.simulatorPort,
    latencyP50Ms: config.simulatorLatencyMs,
    stateFile: join(config.dataDir, 'simulator.jsonl'),
  });
  undo.add(() => simulator.close());

  const busUrl = database.urlOf(loginOf('tenant-registry'));
  const common: CommonConfig = { ...config, operatorToken, postgresUrl: busUrl, postgresDirectUrl: busUrl, postgresPoolSize: 6, clusters: {}, bus: 'postgres', kafkaBrokers: undefined, topicPrefix: '', roles: ['http', 'jobs', 'relay'] };
  const pool = createPool({ url: busUrl, name: 'standalone/bus', max: 6, onError: (error) => log.warn({ err: error }, 'an idle database connection was lost') });
  undo.add(() => pool.end());
  const bus = postgresBus({ pool, directUrl: busUrl, parking: postgresParkingLot({ pool, service: 'standalone' }), onError: (error) => log.warn({ err: error }, 'bus') });
  await bus.ensureTopics(TOPICS);

  const limiter = memoryLimiterStore();
  const process = createProcess({ config: common, log, bus });
  const services = await mountServices({
    process,
    common,
    limiter,
    urlOf: database.urlOf,
    environment: {
      // a real upstream has no such account: its statements are imported
      ...(config.upstreamUrl === undefined ? { WEIR_UPSTREAM_LEDGER_URL: simulator.url } : {}),
      ...environment,
      WEIR_POSTGRES_MIGRATOR_URL: database.urlOf(MIGRATOR),
      WEIR_UPSTREAM_URL: config.upstreamUrl ?? simulator.url,
      WEIR_SIMULATOR_URL: simulator.url,
      WEIR_LIMITER: 'memory',
      WEIR_KEY_ENCRYPTION: 'local',
      WEIR_KEY_FILE: join(config.dataDir, 'key-encryption.key'),
    },
  });
  const host = await startHost({ title: 'Weir', version: WEIR_VERSION, host: config.host, port: config.port, managementPort: config.managementPort, process, services, docs: true });
  undo.add(() => host.stop());
  await quiet(host, services);

  const known = before?.tenants ?? [];
  const addresses = { url: host.url, managementUrl: host.managementUrl, simulatorUrl: simulator.url, operatorToken };
  // first without tenants: whatever happens to the demo, the operator's token is not lost
  writeStandaloneFile(config.dataDir, { ...addresses, tenants: known });
  const usesSimulator = config.upstreamUrl === undefined;
  const tenants = config.demo === 'off' ? known : await ensureDemo({ url: host.url, operatorToken, simulatorUrl: usesSimulator ? simulator.url : undefined, known });
  const file: StandaloneFile = { ...addresses, tenants };
  writeStandaloneFile(config.dataDir, file);
  return { file, madeOperatorToken: config.operatorToken === undefined && before === undefined, stop: () => undo.all() };
}

async function startDatabase(config: StandaloneConfig) {
  const postgres = await startPostgres({
    dataDir: join(config.dataDir, 'postgres'),
    port: config.postgresPort,
    settings: { max_connections: 150, shared_buffers: '64MB', log_min_messages: 'warning' },
  });
  const stopOnFailure = async (error: unknown): Promise<never> => {
    await postgres.stop();
    throw error;
  };
  const adminUrl = await ensureDatabase(postgres.adminUrl, 'weir').catch(stopOnFailure);
  // new at every start: the logins are of this process alone
  const password = randomBytes(24).toString('base64url');
  await prepareDatabase(adminUrl, collectBundle(), password).catch(stopOnFailure);
  return {
    stop: () => postgres.stop(),
    urlOf: (login: string): string => {
      const url = new URL(adminUrl);
      url.username = login;
      url.password = password;
      return url.href;
    },
  };
}

/** What was on its way when the last process ended has arrived: usage is counted and quotas are known before the first call. */
async function quiet(host: Host, services: readonly Mounted[]): Promise<void> {
  const deadline = Date.now() + QUIET_WITHIN_MS;
  while (Date.now() < deadline) {
    if ((await waiting(host, services)) === 0) return;
    await sleep(20);
  }
}

async function waiting(host: Host, [registry]: readonly Mounted[]): Promise<number> {
  if (registry === undefined) return 0;
  const { work, states } = registry.runtime;
  const unpublished = await work.inControl((sql) => sql.query<{ n: number }>('select count(*)::int as n from weir.news'));
  const unread = await host.backlog();
  await states.caughtUp();
  return unread + (unpublished.rows[0]?.n ?? 0);
}

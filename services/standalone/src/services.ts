import { definition as auditLedger } from '@weir/audit-ledger';
import { definition as keyVault } from '@weir/key-vault';
import type { LimiterStore } from '@weir/limiter';
import { definition as metering } from '@weir/metering';
import { define as rateLimiter } from '@weir/rate-limiter';
import { createRuntime, openPool, parseSettings, type CommonConfig, type Environment, type Process, type ServiceDefinition, type ServiceParts, type ServiceRuntime, type Settings } from '@weir/service-host';
import { loginOf, type ServiceName } from '@weir/tenancy';
import { definition as tenantRegistry } from '@weir/tenant-registry';
import { define as upstreamFetcher } from '@weir/upstream-fetcher';

export interface Mounted {
  readonly runtime: ServiceRuntime;
  readonly parts: ServiceParts;
}

export interface MountOptions {
  readonly process: Process;
  readonly common: CommonConfig;
  readonly limiter: LimiterStore;
  /** What each service would find in its environment. */
  readonly environment: Environment;
  readonly urlOf: (login: string) => string;
}

/** What is settled by everything being in one process. */
const SETTLED = [
  'WEIR_POSTGRES_MIGRATOR_URL',
  'WEIR_POSTGRES_MIGRATOR_CLUSTERS',
  'WEIR_UPSTREAM_URL',
  'WEIR_SIMULATOR_URL',
  'WEIR_LIMITER',
  'WEIR_REDIS_URL',
  'WEIR_REDIS_PREFIX',
  'WEIR_KEY_ENCRYPTION',
  'WEIR_KEY_FILE',
  'WEIR_KMS_KEY_ID',
];

/** What the services read beside standalone's own settings: tuning, each with a default. */
export function serviceSettings(): Settings<Record<string, unknown>> {
  const definitions = [tenantRegistry, keyVault, rateLimiter(), metering, auditLedger, upstreamFetcher()];
  const every = definitions.flatMap(({ settings }) => Object.values(settings as Settings<Record<string, unknown>>));
  return Object.fromEntries(every.filter(({ variable }) => !SETTLED.includes(variable)).map((setting) => [setting.variable, setting]));
}

/** Every service as it is in its own process, with a pool and a login of its own: the database tells them apart here too. */
export async function mountServices(options: MountOptions): Promise<Mounted[]> {
  const { limiter } = options;
  const mounted: Mounted[] = [];
  try {
    mounted.push(await mount(tenantRegistry, options));
    mounted.push(await mount(keyVault, options));
    mounted.push(await mount(rateLimiter({ limiter }), options));
    mounted.push(await mount(metering, options));
    mounted.push(await mount(auditLedger, options));
    mounted.push(await mount(upstreamFetcher({ limiter }), options));
    return mounted;
  } catch (error) {
    for (const { runtime } of mounted) await runtime.stopAll().catch(() => undefined);
    throw error;
  }
}

async function mount<C>(definition: ServiceDefinition<C>, { process, common, environment, urlOf }: MountOptions): Promise<Mounted> {
  const own = commonOf(definition.name, common, urlOf);
  const pool = await openPool({ name: definition.name, common: own, log: process.log });
  const runtime = createRuntime(process, definition.name, own, pool);
  const config = { ...own, ...parseSettings(definition.settings, environment) };
  return { runtime, parts: await definition.create(runtime, config) };
}

function commonOf(name: ServiceName, common: CommonConfig, urlOf: MountOptions['urlOf']): CommonConfig {
  const url = urlOf(loginOf(name));
  return { ...common, postgresUrl: url, postgresDirectUrl: url };
}

import { definition as auditLedger } from '@weir/audit-ledger';
import { definition as keyVault } from '@weir/key-vault';
import type { LimiterStore } from '@weir/limiter';
import { definition as metering } from '@weir/metering';
import { define as rateLimiter } from '@weir/rate-limiter';
import { createRuntime, openPool, parseSettings, type CommonConfig, type Environment, type Process, type ServiceDefinition, type ServiceParts, type ServiceRuntime } from '@weir/service-host';
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

/** Every service as it is in its own process, with a pool and a login of its own: the database tells them apart here too. */
export async function mountServices(options: MountOptions): Promise<Mounted[]> {
  const { limiter } = options;
  return [
    await mount(tenantRegistry, options),
    await mount(keyVault, options),
    await mount(rateLimiter({ limiter }), options),
    await mount(metering, options),
    await mount(auditLedger, options),
    await mount(upstreamFetcher({ limiter }), options),
  ];
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

import { commonSettings, parseSettings, startService, type CommonConfig, type Environment, type Host, type ServiceDefinition, type Settings } from '@weir/service-host';
import type { TestDatabase } from './database';

export interface TestServiceOptions {
  readonly database: TestDatabase;
  /** The bus is Postgres's unless this says otherwise; topics must be there already. */
  readonly environment?: Environment;
}

/** A service as its main.ts runs it, in this process, on free ports. */
export function startTestService<C>(definition: ServiceDefinition<C>, { database, environment = {} }: TestServiceOptions): Promise<Host> {
  const settings = { ...commonSettings, ...definition.settings } as Settings<CommonConfig & C>;
  const url = database.urlOf(definition.name);
  const config = parseSettings(settings, {
    WEIR_PORT: '0',
    WEIR_MANAGEMENT_PORT: '0',
    WEIR_LOG_LEVEL: 'silent',
    WEIR_BUS: 'postgres',
    WEIR_POSTGRES_URL: url,
    WEIR_POSTGRES_DIRECT_URL: url,
    WEIR_POSTGRES_MIGRATOR_URL: database.migratorUrl,
    WEIR_POSTGRES_POOL_SIZE: '5',
    ...environment,
  });
  return startService(definition, config);
}

import type { Distributed, DistributedOptions } from './distributed';

export { ensureDemo, type DemoOptions, type DemoTenant } from './demo';
export { cacheDir, type Progress } from './install/cache';
export { assertPresent } from './install/needs';
export { PARTS, startParts, type PartName, type Parts, type PartsOptions } from './parts';
export { startKafkaCluster, type KafkaCluster, type KafkaClusterOptions } from './parts/kafka-cluster';
export { oneService, type OneServiceOptions } from './one-service';
export { freePort } from './process/free-port';
export { startPostgres, type PostgresOptions, type RunningPostgres } from './postgres';
export { ROUTES, routeOf, routesWith, type Route } from './routes';
export type { ServiceProcess } from './distributed/service-process';
export type { Distributed, DistributedOptions };

/** Loaded when it is called: standalone and the servers of a test run need nothing of it. */
export const startDistributed = async (options: DistributedOptions): Promise<Distributed> => (await import('./distributed')).startDistributed(options);

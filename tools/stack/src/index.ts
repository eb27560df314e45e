export { ensureDemo, type DemoOptions, type DemoTenant } from './demo';
export { startDistributed, type Distributed, type DistributedOptions } from './distributed';
export { ServiceProcess } from './distributed/service-process';
export { cacheDir, type Progress } from './install/cache';
export { assertPresent } from './install/needs';
export { PARTS, startParts, type PartName, type Parts, type PartsOptions } from './parts';
export { startPostgres, type PostgresOptions, type RunningPostgres } from './postgres';
export { ROUTES, routeOf, type Route } from './routes';

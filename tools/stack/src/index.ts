export { ensureDemo, type DemoOptions, type DemoTenant } from './demo';
export { startPostgres, type PostgresOptions, type RunningPostgres } from './postgres';
export { cacheDir } from './install/cache';
export { PARTS, startParts, type PartName, type Parts, type PartsOptions } from './parts';
export { ROUTES, routeOf, type Route } from './routes';

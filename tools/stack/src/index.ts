export { startPostgres, type PostgresOptions, type RunningPostgres } from './postgres';
export { ROUTES, routeOf, type Route } from './routes';

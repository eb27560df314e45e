import type { Commands } from '../context';
import type { Column } from '../output';

const STATUS: Column[] = [['release', ({ release }) => release.join('\n')], ['schemas current', 'schemas.current'], ['schemas behind', 'schemas.behind']];

export const migrations: Commands = (cli, act) =>
  cli.command('migrations', "How far the tenants' schemas are", (y) =>
    y
      .command('list', "The release's migrations, and how many schemas have them", (o) => o, act(async ({ api, out }) => out.record(STATUS, await api.get('/v1/migrations'))))
      .command('run', 'Bring every schema to the release', (o) => o, act(async ({ api, out }) => out.record([['migrated', 'migrated']], await api.post('/v1/migrations'))))
      .demandCommand(1, 'migrations: what about them?'),
  );

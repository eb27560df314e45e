import type { Json } from '../api';
import { limitOption, part, tenantOption, type Commands, type Context } from '../context';
import type { Column } from '../output';
import { defined, linesOf } from './jobs';

const last = ({ last: run }: Json): string | undefined => (run === null ? undefined : `${run.at} ${run.error ?? run.jobId}`);
const LIST: Column[] = [['id', 'id'], ['name', 'name'], ['endpoint', 'endpoint'], ['targets', 'targets'], ['pages', 'pages'], ['cron', 'cron'], ['timezone', 'timezone'], ['next', 'nextAt'], ['last', last]];

export const schedules: Commands = (cli, act) =>
  cli.command('schedules', 'What is fetched by the clock: profiles and posts nightly, followers twice a week', (y) =>
    y
      .option('tenant', tenantOption)
      .command(
        'list',
        'With when each comes next, and what came of the last time',
        (o) => o.option('limit', limitOption),
        act(async (context, { tenant, limit }) => context.out.list(LIST, await context.api.list(await pathOf(context, tenant), limit))),
      )
      .command(
        'create <endpoint> <targets>',
        'Make one',
        (o) =>
          o
            .positional('endpoint', { type: 'string', demandOption: true, describe: 'Such as userinfo-by-username' })
            .positional('targets', { type: 'string', demandOption: true, describe: 'A file with a target a line; - reads standard input' })
            .option('cron', { type: 'string', describe: 'Five fields; the usual time of the endpoint unless said otherwise' })
            .option('timezone', { type: 'string', describe: 'Such as Europe/Berlin; UTC unless said otherwise' })
            .option('pages', { type: 'number', describe: 'Pages of each target at most' })
            .option('name', { type: 'string', describe: 'To know it by' })
            .option('max-age', { type: 'number', describe: 'Seconds that an answer from the cache may be old' })
            .example('$0 schedules create -t acme user-followers numbers.txt --pages 3', ''),
        act(async (context, { tenant, endpoint, targets, cron, timezone, pages, name, maxAge }) => {
          const body = { endpoint, targets: await linesOf(context, targets), ...defined({ cron, timezone, pages, name, maxAgeSeconds: maxAge }) };
          context.out.record(LIST, await context.api.post(await pathOf(context, tenant), { body }));
        }),
      )
      .command(
        'remove <id>',
        'End one; jobs that it has made go on',
        (o) => o.positional('id', { type: 'string', demandOption: true }),
        act(async (context, { tenant, id }) => {
          await context.api.delete(`${await pathOf(context, tenant)}/${part(id)}`);
          context.out.note(`the schedule ${id} is removed`);
        }),
      )
      .demandCommand(1, 'schedules: what about them?'),
  );

const pathOf = async (context: Context, tenant: string | undefined): Promise<string> => `/v1/tenants/${await context.tenant(tenant)}/refresh-schedules`;

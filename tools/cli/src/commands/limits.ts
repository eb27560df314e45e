import type { Argv } from 'yargs';
import type { Json } from '../api';
import { part, tenantOption, type Commands, type Context } from '../context';
import { UsageError } from '../failures';
import type { Column } from '../output';

const LIST: Column[] = [['name', 'name'], ['mode', 'mode'], ['limit', 'limit'], ['used', 'used'], ['left', 'remaining'], ['unit', 'unit'], ['whole again', 'resetAt'], ['from', sourceOf]];
const ONE: Column[] = [['name', 'name'], ['limit', 'limit'], ['a second', 'refillPerSecond'], ['shadow', 'shadow'], ['expires', 'expiresAt']];

export const limits: Commands = (cli, act) =>
  cli.command('limits', 'What a tenant may do, what of it is used now, and where each limit comes from', (y) =>
    y
      .option('tenant', tenantOption)
      .command('list', 'Each limit, those of its upstream keys and those in the shadow', (o) => o, act(async (context, { tenant }) =>
        context.out.list(LIST, await context.api.get(await pathOf(context, tenant))),
      ))
      .command(
        'set <name> [limit]',
        "Replace limits of the tenant's plan, or try others in the shadow",
        (o) =>
          nameArgument(o)
            .positional('limit', { type: 'number', describe: 'Calls, credits or calls at once; without one, --shadow takes what holds out of force' })
            .option('per-second', { type: 'number', describe: 'Of a bucket: how fast it fills again' })
            .option('until', { type: 'string', describe: 'When it ends: 2026-12-01T00:00:00Z, or from now on 90s, 30m, 12h, 7d' })
            .option('shadow', { type: 'boolean', default: false, describe: 'Decide and count, and refuse nothing' })
            .example('$0 limits set -t acme daily-quota 20000 --until 7d', '')
            .example("$0 limits set -t acme 'endpoint:*' 60 --per-second 1 --shadow", 'what would that refuse?'),
        act(async (context, { tenant, name, limit, perSecond, until, shadow }) => {
          const body = { limit, refillPerSecond: perSecond, shadow, expiresAt: until === undefined ? null : instant(until, Date.now()) };
          context.out.record(ONE, await context.api.put(`${await pathOf(context, tenant)}/${part(name)}`, { body }));
        }),
      )
      .command(
        'clear <name>',
        "Let the plan's limits hold again, and end what is tried in the shadow",
        (o) => nameArgument(o).option('shadow', { type: 'boolean', describe: 'What is tried in the shadow alone; --no-shadow: the other alone' }),
        act(async (context, { tenant, name, shadow }) => {
          const query = shadow === undefined ? '' : `?shadow=${shadow}`;
          await context.api.delete(`${await pathOf(context, tenant)}/${part(name)}${query}`);
          context.out.note(`${name} is as the plan says`);
        }),
      )
      .demandCommand(1, 'limits: what about them?'),
  );

const nameArgument = <T>(y: Argv<T>) =>
  y.positional('name', { type: 'string', demandOption: true, describe: 'tenant-bucket, daily-quota, monthly-quota, concurrency, endpoint:<id>; * for any characters' });

const pathOf = async (context: Context, tenant: string | undefined): Promise<string> => `/v1/tenants/${await context.tenant(tenant)}/limits`;

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time, or so long from now. */
function instant(text: string, now: number): string {
  const [, amount, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const at = amount === undefined ? Date.parse(text) : now + Number(amount) * (UNITS[unit] ?? NaN);
  if (Number.isNaN(at)) throw new UsageError(`'${text}' is no time: write 2026-12-01T00:00:00Z, or 12h`);
  return new Date(at).toISOString();
}

function sourceOf({ source, key, upstream, wouldHaveRefused }: Json): string {
  const counted = wouldHaveRefused === undefined ? '' : `, would have refused ${wouldHaveRefused} in an hour`;
  switch (source.from) {
    case 'override':
      return `override ${source.name}${source.expiresAt === null ? '' : ` until ${source.expiresAt}`}${counted}`;
    case 'plan':
      return `plan ${source.plan}${counted}`;
    case 'ceiling':
      return `${key === 'platform' ? 'shared key' : key}${upstream === undefined ? '' : ` of ${upstream}`}: ${source.perMinute}/min${source.learned ? `, learned, of ${source.configuredPerMinute}` : ''}`;
    default:
      return `${source.from} ${source.budgetId ?? ''}`;
  }
}

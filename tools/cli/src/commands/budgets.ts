import type { Json } from '../api';
import { part, tenantOption, type Commands, type Context } from '../context';
import { UsageError } from '../failures';
import { say, type Column } from '../output';

const thresholds = (row: Json): string => row.thresholds.map((each: { percent?: number; credits?: number }) => (each.percent === undefined ? say(each.credits) : `${each.percent}%`)).join(', ');
const LIST: Column[] = [['name', 'name'], ['project', 'projectId'], ['period', 'period'], ['limit', 'limitCredits'], ['used', 'usedCredits'], ['left', 'remainingCredits'], ['forecast', 'forecastCredits'], ['hard', 'hard'], ['warns at', thresholds]];

export const budgets: Commands = (cli, act) =>
  cli.command('budgets', "Ceilings in credits that a tenant sets for itself: they warn, and hard ones refuse calls", (y) =>
    y
      .option('tenant', tenantOption)
      .command(
        'list',
        'With what is used of each, and where it will be at the end of its period',
        (o) => o,
        act(async (context, { tenant }) => context.out.list(LIST, await context.api.get(await pathOf(context, tenant)))),
      )
      .command(
        'set <name> <credits>',
        'Set or change one',
        (o) =>
          o
            .positional('name', { type: 'string', demandOption: true })
            .positional('credits', { type: 'number', demandOption: true, describe: 'Credits of a period' })
            .option('per', { choices: ['day', 'month'] as const, default: 'month' as const, describe: 'UTC' })
            .option('project', { type: 'string', describe: 'Of this project alone' })
            .option('hard', { type: 'boolean', default: false, describe: 'Refuse calls once it is used up' })
            .option('warn-at', { type: 'string', describe: 'Comma-separated: 50%,80%,90000; 50%,80%,100% unless said otherwise' })
            .option('forecast', { type: 'boolean', default: true, describe: 'Warn when the pace so far leads above it' })
            .example('$0 budgets set -t acme all 100000 --hard --warn-at 80%,100%', ''),
        act(async (context, { tenant, name, credits, per, project, hard, warnAt, forecast }) => {
          const body = { name, limitCredits: credits, period: per, projectId: project ?? null, hard, forecast, ...(warnAt === undefined ? {} : { thresholds: warnAt.split(',').map(threshold) }) };
          context.out.record(LIST, await context.api.put(await pathOf(context, tenant), { body }));
        }),
      )
      .command(
        'remove <name>',
        'Remove one',
        (o) => o.positional('name', { type: 'string', demandOption: true }),
        act(async (context, { tenant, name }) => {
          await context.api.delete(`${await pathOf(context, tenant)}/${part(name)}`);
          context.out.note(`the budget ${name} is removed`);
        }),
      )
      .demandCommand(1, 'budgets: what about them?'),
  );

const pathOf = async (context: Context, tenant: string | undefined): Promise<string> => `/v1/tenants/${await context.tenant(tenant)}/budgets`;

function threshold(text: string): { percent: number } | { credits: number } {
  const number = Number(text.trim().replace(/%$/, ''));
  if (!(number > 0)) throw new UsageError(`'${text}' is no threshold: write 80% or 90000`);
  return text.trim().endsWith('%') ? { percent: number } : { credits: number };
}

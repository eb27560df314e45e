import type { Argv } from 'yargs';
import type { Json } from '../api';
import { limitOption, part, tenantOption, type Commands, type Context } from '../context';
import { UsageError } from '../failures';
import type { Column } from '../output';

const LIST: Column[] = [['id', 'id'], ['label', 'label'], ['role', 'role'], ['mode', 'mode'], ['status', 'status'], ['expires', 'expiresAt'], ['created', 'createdAt']];
const ISSUED: Column[] = [['token', 'token'], ['id', 'id'], ['label', 'label'], ['role', 'role'], ['mode', 'mode'], ['expires', 'expiresAt']];

export const tokens: Commands = (cli, act) =>
  cli.command('tokens', "A tenant's API tokens", (y) =>
    y
      .option('tenant', tenantOption)
      .command(
        'list',
        'List tokens, without their secrets',
        (o) => o.option('limit', limitOption),
        act(async (context, { tenant, limit }) => context.out.list(LIST, await context.api.list(await pathOf(context, tenant), limit))),
      )
      .command(
        'create',
        'Issue a token; it is shown this once',
        (o) =>
          o
            .option('label', { type: 'string', describe: 'What it is for' })
            .option('role', { choices: ['owner', 'admin', 'member', 'auditor'] as const, describe: 'What it may do; member unless said otherwise' })
            .option('test', { type: 'boolean', describe: 'Its calls go to the simulator and are never invoiced' })
            .option('expires', { type: 'string', describe: 'When it ends: 2027-01-31 or 2027-01-31T12:00:00Z' })
            .example('$0 tokens create -t acme --label ci --role member', '')
            .example('TOKEN=$($0 tokens create -t acme --json | jq -r .token)', 'for a script'),
        act(async (context, { tenant, label, role, test, expires }) =>
          issued(context, await context.api.post(await pathOf(context, tenant), { body: { label, role, ...(test === true ? { mode: 'test' } : {}), expiresAt: instant(expires) } })),
        ),
      )
      .command(
        'reroll <token>',
        'Issue a successor; the old one works until its grace ends',
        (o) => tokenArgument(o).option('grace', { type: 'number', describe: 'Seconds that the old one still works; a day unless said otherwise' }),
        act(async (context, { tenant, token, grace }) =>
          issued(context, await context.api.post(`${await pathOf(context, tenant)}/${part(token)}/reroll`, { body: { graceSeconds: grace } })),
        ),
      )
      .command(
        'revoke <token>',
        'End a token now',
        (o) => tokenArgument(o),
        act(async (context, { tenant, token }) => {
          await context.api.delete(`${await pathOf(context, tenant)}/${part(token)}`);
          context.out.note(`${token} is revoked`);
        }),
      )
      .demandCommand(1, 'tokens: what about them?'),
  );

const tokenArgument = <T>(y: Argv<T>) => y.positional('token', { type: 'string', demandOption: true, describe: 'Id (tok_…), not the token itself' });

const pathOf = async (context: Context, tenant: string | undefined): Promise<string> => `/v1/tenants/${await context.tenant(tenant)}/tokens`;

function issued({ out }: Context, token: Json): void {
  out.record(ISSUED, token);
  out.note('Keep the token now: it is shown this once.');
}

function instant(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new UsageError(`'${text}' is not a time: write 2027-01-31 or 2027-01-31T12:00:00Z`);
  return new Date(ms).toISOString();
}

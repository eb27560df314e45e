import { limitOption, part, tenantOption, type Commands, type Context } from '../context';
import type { Column } from '../output';

const LIST: Column[] = [['id', 'id'], ['url', 'url'], ['types', 'types'], ['status', 'status'], ['created', 'createdAt']];
const MADE: Column[] = [['secret', 'secret'], ...LIST];
const DELIVERIES: Column[] = [['id', 'id'], ['webhook', 'webhookId'], ['type', 'type'], ['status', 'status'], ['attempts', 'attempts'], ['last', 'lastStatus'], ['error', 'lastError'], ['attempted', 'attemptedAt'], ['next', 'nextAt']];

export const webhooks: Commands = (cli, act) =>
  cli.command('webhooks', 'Addresses that events of a tenant are sent to, signed', (y) =>
    y
      .option('tenant', tenantOption)
      .command('list', 'Without their secrets', (o) => o, act(async (context, { tenant }) => context.out.list(LIST, await context.api.get(await pathOf(context, tenant)))))
      .command(
        'add <address>',
        'Send events there; the secret is shown this once',
        (o) => o.positional('address', { type: 'string', demandOption: true, describe: 'https://…' }).option('types', { type: 'string', describe: 'Comma-separated; all unless said otherwise' }),
        act(async (context, { tenant, address, types }) => {
          const made = await context.api.post(await pathOf(context, tenant), { body: { url: address, ...(types === undefined ? {} : { types: types.split(',') }) } });
          context.out.record(MADE, made);
          context.out.note('Keep the secret now: it is shown this once.');
        }),
      )
      .command(
        'rotate-secret <webhook>',
        'A new secret; the one before is signed with beside it for a day',
        (o) => o.positional('webhook', { type: 'string', demandOption: true, describe: 'Id (whk_…)' }),
        act(async (context, { tenant, webhook }) => context.out.record([['secret', 'secret'], ['the one before until', 'previousUntil']], await context.api.post(`${await pathOf(context, tenant)}/${part(webhook)}/rotate-secret`))),
      )
      .command(
        'remove <webhook>',
        'Send nothing there any more',
        (o) => o.positional('webhook', { type: 'string', demandOption: true, describe: 'Id (whk_…)' }),
        act(async (context, { tenant, webhook }) => {
          await context.api.delete(`${await pathOf(context, tenant)}/${part(webhook)}`);
          context.out.note(`${webhook} is removed`);
        }),
      )
      .command(
        'deliveries',
        'What was sent or is to be, newest first',
        (o) => o.option('limit', limitOption),
        act(async (context, { tenant, limit }) => context.out.list(DELIVERIES, await context.api.list(`${await pathOf(context, tenant)}/deliveries`, limit))),
      )
      .command(
        'replay <delivery>',
        'Send one again, under the same id',
        (o) => o.positional('delivery', { type: 'string', demandOption: true, describe: 'Id (dlv_…)' }),
        act(async (context, { tenant, delivery }) => context.out.record(DELIVERIES, await context.api.post(`${await pathOf(context, tenant)}/deliveries/${part(delivery)}/replay`))),
      )
      .demandCommand(1, 'webhooks: what about them?'),
  );

const pathOf = async (context: Context, tenant: string | undefined): Promise<string> => `/v1/tenants/${await context.tenant(tenant)}/webhooks`;

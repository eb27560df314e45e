import type { Json } from '../api';
import { part, tenantOption, type Commands, type Context } from '../context';
import { UsageError } from '../failures';
import type { Column } from '../output';

const WAIT_MS = 500;
const reportOf = (member: string) => ({ reports }: Json) => reports[0]?.report?.[member] ?? undefined;
const RECEIPT: Column[] = [
  ['id', 'id'],
  ['status', 'status'],
  ['persons', 'subjects'],
  ['requested', 'requested.at'],
  ['done', reportOf('at')],
  ['profiles', reportOf('profiles')],
  ['posts', reportOf('posts')],
  ['job results', reportOf('jobResults')],
  ['cached answers', reportOf('cachedAnswers')],
  ['names refused', reportOf('suppressed')],
  ['position in the log', reportOf('position')],
  ['chain hash', reportOf('chainHash')],
];

export const subjects: Commands = (cli, act) =>
  cli.command('subjects', 'Persons whom a tenant has fetched', (y) =>
    y
      .option('tenant', tenantOption)
      .command(
        'erase',
        'Remove what is stored of them and fetch them no more; prints the receipt',
        (o) =>
          o
            .option('username', { type: 'string', array: true, describe: 'By user name' })
            .option('user-id', { type: 'string', array: true, describe: 'By number' })
            .option('sec-uid', { type: 'string', array: true, describe: 'By secUid' })
            .option('wait', { type: 'boolean', default: true, describe: 'Until it is done' })
            .example('$0 subjects erase -t acme --username alice', ''),
        act(async (context, { tenant, username = [], userId = [], secUid = [], wait }) => {
          const named = [...username.map((one) => ({ username: one })), ...userId.map((one) => ({ userId: one })), ...secUid.map((one) => ({ secUid: one }))];
          if (named.length === 0) throw new UsageError('whom? Name them with --username, --user-id or --sec-uid');
          const base = await pathOf(context, tenant);
          let receipt = await context.api.post(`${base}/subjects/erase`, { body: { subjects: named } });
          while (wait && receipt.status === 'running') {
            await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
            receipt = await context.api.get(`${base}/erasure-receipts/${part(String(receipt.id))}`);
          }
          context.out.record(RECEIPT, receipt);
        }),
      )
      .command(
        'receipt <id>',
        'What became of an erasure',
        (o) => o.positional('id', { type: 'string', demandOption: true }),
        act(async (context, { tenant, id }) => context.out.record(RECEIPT, await context.api.get(`${await pathOf(context, tenant)}/erasure-receipts/${part(id)}`))),
      )
      .demandCommand(1, 'subjects: what about them?'),
  );

const pathOf = async (context: Context, tenant: string | undefined): Promise<string> => `/v1/tenants/${await context.tenant(tenant)}`;

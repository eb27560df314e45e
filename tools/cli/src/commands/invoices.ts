import type { Json } from '../api';
import { limitOption, part, tenantOption, type Commands, type Context } from '../context';
import { BadNews, UsageError } from '../failures';
import { say, type Column } from '../output';

const money = (of: string): Column[1] => (row: Json) => (row[of] === undefined || row[of] === null ? undefined : `${row[of].amount} ${row[of].currency}`);
const LIST: Column[] = [['id', 'id'], ['number', 'number'], ['kind', 'kind'], ['period', 'period'], ['status', 'status'], ['total', money('total')], ['credits', 'chargedCredits'], ['final', 'finalizedAt']];
const LINES: Column[] = [['item', 'item'], ['description', 'description'], ['from', 'from'], ['to', 'to'], ['quantity', 'quantity'], ['unit price', money('unitPrice')], ['per', 'per'], ['share', 'share'], ['amount', money('amount')]];

export const invoices: Commands = (cli, act) =>
  cli.command('invoices', 'Invoices, drafts and credit notes', (y) =>
    y
      .option('tenant', tenantOption)
      .command(
        'list',
        'Newest first',
        (o) => o.option('limit', limitOption),
        act(async (context, { tenant, limit }) => context.out.list(LIST, await context.api.list(await pathOf(context, tenant), limit))),
      )
      .command(
        'preview',
        'What a month costs by what is known now',
        (o) => o.option('period', { type: 'string', describe: 'UTC month, 2026-11; the current one unless said otherwise' }),
        act(async (context, { tenant, period }) => show(context, await context.api.get(`${await pathOf(context, tenant)}/preview`, { query: { period } }))),
      )
      .command(
        'show <invoice>',
        'One with its lines',
        (o) => o.positional('invoice', { type: 'string', demandOption: true, describe: 'Id (inv_…, crn_…)' }).option('csv', { type: 'boolean', describe: 'The lines as CSV' }),
        act(async (context, { tenant, invoice, csv }) => {
          const path = `${await pathOf(context, tenant)}/${part(invoice)}`;
          if (csv === true) return context.api.stream(path, { headers: { accept: 'text/csv' } }, context.io.stdout);
          show(context, await context.api.get(path));
        }),
      )
      .command(
        'run <period>',
        'Make the invoices of a month that is over, of all tenants; run again it makes what is missing',
        (o) =>
          o
            .positional('period', { type: 'string', demandOption: true, describe: 'UTC month, 2026-10' })
            .option('draft', { type: 'boolean', default: false, describe: 'Drafts, which the next run replaces' })
            .option('reissue', { type: 'boolean', default: false, describe: 'Another invoice where the first was taken back whole' })
            .example('$0 invoices run 2026-10 --draft', 'all tenants')
            .example('$0 invoices run 2026-10 -t acme', 'one'),
        act(async (context, { tenant, period, draft, reissue }) => {
          const tenants = tenant === undefined ? undefined : [await context.tenant(tenant)];
          const run = await context.api.post('/v1/invoice-runs', { body: { period, draft, reissue, ...(tenants === undefined ? {} : { tenants }) } });
          context.out.record([['period', 'period'], ['drafted', 'drafted'], ['final', 'finalized'], ['unchanged', 'unchanged'], ['failed', (body: Json) => body.failed.length]], run);
          for (const { tenantId, code, detail } of run.failed) context.out.note(`${tenantId}: ${code}: ${detail}`);
          if (run.failed.length > 0) throw new BadNews(`${run.failed.length} tenants have no invoice; run again`);
        }),
      )
      .command(
        'credit <invoice>',
        'Take back an invoice, or a part of it, by a credit note',
        (o) =>
          o
            .positional('invoice', { type: 'string', demandOption: true, describe: 'Id (inv_…)' })
            .option('amount', { type: 'string', describe: '12.50EUR; all that is left of it unless said otherwise' })
            .option('reason', { type: 'string', demandOption: true, describe: 'Stands on the record' }),
        act(async (context, { tenant, invoice, amount, reason }) =>
          show(context, await context.api.post(`${await pathOf(context, tenant)}/${part(invoice)}/credit-notes`, { body: { reason, ...(amount === undefined ? {} : { amount: moneyOf(amount) }) } })),
        ),
      )
      .command(
        'ledger',
        'What was booked, double entry, and the balance of each account',
        (o) => o,
        act(async (context, { tenant }) => {
          const ledger = await context.api.get(`/v1/tenants/${await context.tenant(tenant)}/ledger`);
          if (context.out.json) return context.out.raw(ledger);
          context.out.list([['document', 'documentId'], ['account', 'account'], ['amount', money('amount')], ['at', (row: Json) => new Date(row.at).toISOString()]], { data: ledger.entries, nextCursor: null });
          context.out.note(`balances: ${ledger.balances.map(({ account, balance }: Json) => `${account} ${balance.amount} ${balance.currency}`).join(' · ') || 'none'}`);
        }),
      )
      .demandCommand(1, 'invoices: what about them?'),
  );

const pathOf = async (context: Context, tenant: string | undefined): Promise<string> => `/v1/tenants/${await context.tenant(tenant)}/invoices`;

function show({ out }: Context, invoice: Json): void {
  if (out.json) return out.raw(invoice);
  if (invoice.lines.length > 0) out.list(LINES, { data: invoice.lines, nextCursor: null });
  out.text(`${say(invoice.number ?? invoice.status)}  ${invoice.period}  ${invoice.total.amount} ${invoice.total.currency}`);
}

function moneyOf(text: string): { amount: string; currency: string } {
  const [, amount, currency] = /^(\d+(?:\.\d+)?)\s*([A-Z]{3})$/.exec(text) ?? [];
  if (amount === undefined || currency === undefined) throw new UsageError(`'${text}' is no amount: write 12.50EUR`);
  return { amount, currency };
}

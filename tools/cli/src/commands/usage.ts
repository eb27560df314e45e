import type { Json } from '../api';
import { tenantOption, type Commands, type Context } from '../context';
import { BadNews } from '../failures';
import type { Column } from '../output';

export const usage: Commands = (cli, act) =>
  cli.command(
    'usage',
    "Calls and credits of a tenant by day, endpoint, …; with --all every tenant's, and why upstream and charge differ",
    (y) =>
      y
        .option('tenant', tenantOption)
        .option('all', { type: 'boolean', describe: 'Over all tenants' })
        .conflicts('all', 'tenant')
        .option('from', { type: 'string', describe: 'First day, 2026-11-01; the first of the month unless said otherwise' })
        .option('to', { type: 'string', describe: 'Last day' })
        .option('group-by', { type: 'string', describe: 'Comma-separated: day, hour, endpoint, project, token, status, key, keyOwner, keyMode, mode, cache, difference, adjusts; with --all tenant, day, key, keyOwner, mode, cache, difference' })
        .option('mode', { choices: ['live', 'test', 'all'] as const, describe: 'Of live tokens, test tokens or both' })
        .option('csv', { type: 'boolean', describe: 'As CSV' })
        .command('check', 'Compare a tenant’s sums with its records; exit code 1 when they differ', (o) => o, act(async (context, { tenant }) => checked(context, await context.api.post(`/v1/tenants/${await context.tenant(tenant)}/usage/check`))))
        .command('rebuild', 'Make the sums of a tenant’s open months anew from its records', (o) => o, act(async (context, { tenant }) => {
          const before = await context.api.post(`/v1/tenants/${await context.tenant(tenant)}/usage/rebuild`);
          context.out.record(CHECK, before);
        }))
        .example('$0 usage -t acme --group-by day,endpoint', '')
        .example('$0 usage --all --group-by tenant,key --from 2026-11-01', ''),
    act(async (context, { tenant, all, from, to, groupBy, mode, csv }) => {
      const { api, out, io, session } = context;
      const everyone = all === true || (tenant === undefined && session.tenant === undefined);
      const path = everyone ? '/v1/usage' : `/v1/tenants/${await context.tenant(tenant)}/usage`;
      const query = { from, to, groupBy, mode };
      if (csv === true) {
        return api.stream(path, { query, headers: { accept: 'text/csv' } }, io.stdout);
      }
      const report = await api.get(path, { query });
      if (out.json) return out.raw(report);
      out.list(columnsOf(report), { data: [...report.data, { ...report.totals, total: true }], nextCursor: null });
      if (report.differences !== undefined) out.note(`Upstream and charged credits differ by: ${inWords(report.differences)}`);
    }),
  );

const CHECK: Column[] = [['tenant', 'tenantId'], ['from', 'from'], ['rows that differ', 'rows'], ['of them', ({ shown }: Json) => shown.map((one: Json) => `${one.table}, ${one.side}: ${JSON.stringify(one.row)}`).join('\n') || undefined]];

function checked({ out }: Context, check: Json): void {
  out.record(CHECK, check);
  if (check.rows > 0) throw new BadNews(`${check.rows} rows of sums are not what the records add up to`);
}

const inWords = (differences: Readonly<Record<string, number>>): string =>
  Object.entries(differences)
    .filter(([, credits]) => credits !== 0)
    .map(([reason, credits]) => `${reason} ${credits}`)
    .join(', ') || 'nothing';

const SUMS: Column[] = [['calls', 'calls'], ['upstream credits', 'upstreamCredits'], ['unsettled', 'unsettledCredits'], ['charged credits', 'chargedCredits']];

const MARGIN: Column[] = [['margin', ({ marginCredits }: Json) => marginCredits ?? ' '], ['differs by', ({ total, differences }: Json) => (total === true ? ' ' : inWords(differences))]];

/** The groups are the members of a row that are no sums; the last row is the total. */
function columnsOf(report: Json): Column[] {
  const sums = new Set([...SUMS.map(([, member]) => member), 'marginCredits', 'differences']);
  const members = Object.keys(report.data[0] ?? {}).filter((member) => !sums.has(member));
  const groups = members.map((member, i): Column => [member.replace(/([A-Z])/g, ' $1'), (row: Json) => (row.total === true ? (i === 0 ? 'total' : ' ') : row[member])]);
  return [...groups, ...SUMS, ...(report.differences === undefined ? [] : MARGIN)];
}

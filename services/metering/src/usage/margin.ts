import type { Sql } from '@weir/tenancy';
import { tooManyGroups } from '../errors';
import { DIMENSIONS, MOST_ROWS, SUMS, totalOf, type ReportQuery, type ReportRow } from './report';

/** Why what the upstream took (and may have taken) is not what the tenants pay: the classes add up to the whole difference. */
export const CLASSES = ['cache', 'coalesced', 'absorbed', 'validation', 'unsettled', 'unexplained'] as const;

/** Credits: positive where Weir bears them, negative where tenants pay for what cost nothing upstream. `unexplained` is 0, or something is wrong. */
export type Differences = Readonly<Record<(typeof CLASSES)[number], number>>;

export type MarginRow = ReportRow & {
  /** What was charged less what the upstream took and may have taken. */
  readonly marginCredits: number;
  readonly differences: Differences;
};

const CLASS = `case when cache in ('hit', 'stale') then 'cache' when cache = 'coalesced' then 'coalesced'
  when difference in ('absorbed', 'validation', 'unsettled') then difference else 'unexplained' end`;

type ClassRow = ReportRow & { readonly class: keyof Differences };

/** Sums over all tenants of one database, by group and class. */
export async function readClasses(sql: Sql, { from, to, groupBy, mode }: ReportQuery): Promise<ClassRow[]> {
  const groups = groupBy.map((name) => `${DIMENSIONS[name].sql} as "${DIMENSIONS[name].member}"`);
  const positions = [...groups, CLASS].map((_, index) => index + 1).join(', ');
  const most = MOST_ROWS * CLASSES.length;
  const { rows } = await sql.query<ClassRow>(
    `select ${[...groups, `${CLASS} as class`, SUMS].join(', ')} from key_usage
     where day between $1::date and $2::date and ($3 = 'all' or mode = $3) group by ${positions} order by ${positions} limit ${most + 1}`,
    [from, to, mode],
  );
  if (rows.length > most) throw tooManyGroups(MOST_ROWS);
  return rows;
}

/** A row a group, of the databases' rows together. */
export function marginsOf(databases: readonly (readonly ClassRow[])[], { groupBy }: ReportQuery): MarginRow[] {
  const members = groupBy.map((name) => DIMENSIONS[name].member);
  const groupOf = (row: ClassRow): string => JSON.stringify(members.map((member) => row[member]));
  const groups = [...Map.groupBy(databases.flat(), groupOf)];
  if (databases.length > 1) groups.sort(([a], [b]) => (a < b ? -1 : 1));
  return groups.map(([, rows]) => {
    const sums = totalOf(rows);
    const own = Object.fromEntries(members.map((member) => [member, (rows[0] as ClassRow)[member]]));
    return { ...own, ...sums, marginCredits: sums.chargedCredits - sums.upstreamCredits - sums.unsettledCredits, differences: differencesOf(rows) } as unknown as MarginRow;
  });
}

export function differencesOf(rows: readonly ClassRow[]): Differences {
  const all: Record<string, number> = Object.fromEntries(CLASSES.map((name) => [name, 0]));
  for (const row of rows) all[row.class] = (all[row.class] ?? 0) + row.upstreamCredits + row.unsettledCredits - row.chargedCredits;
  return all as Differences;
}

import type { Sql } from '@weir/tenancy';
import { tooManyGroups } from '../errors';

/** What a report can be grouped by: its name in `groupBy`, the column, the member of the answer. */
export const DIMENSIONS = {
  day: { sql: "to_char(day, 'YYYY-MM-DD')", member: 'day' },
  hour: { sql: "to_char(day + hour * interval '1 hour', 'YYYY-MM-DD\"T\"HH24:00\"Z\"')", member: 'hour' },
  tenant: { sql: 'tenant_id', member: 'tenantId' },
  endpoint: { sql: 'endpoint', member: 'endpoint' },
  project: { sql: "nullif(project_id, '')", member: 'projectId' },
  token: { sql: "nullif(token_id, '')", member: 'tokenId' },
  key: { sql: "nullif(key_id, '')", member: 'keyId' },
  keyOwner: { sql: 'key_owner', member: 'keyOwner' },
  keyMode: { sql: 'key_mode', member: 'keyMode' },
  mode: { sql: 'mode', member: 'mode' },
  cache: { sql: 'cache', member: 'cache' },
  status: { sql: 'nullif(status, 0)', member: 'status' },
  difference: { sql: "nullif(difference, '')", member: 'difference' },
  adjusts: { sql: "nullif(adjusts, '')", member: 'adjusts' },
} as const;
export type Dimension = keyof typeof DIMENSIONS;

export interface Sums {
  /** Settled attempts and answers that needed none. */
  readonly calls: number;
  /** What the upstream took. */
  readonly upstreamCredits: number;
  /** What it may have taken: attempts that nobody settled in time. */
  readonly unsettledCredits: number;
  /** What the tenants pay. */
  readonly chargedCredits: number;
}

export type ReportRow = Sums & { readonly [member: string]: string | number | null };

export interface ReportQuery {
  /** Days, both counted. */
  readonly from: string;
  readonly to: string;
  readonly groupBy: readonly Dimension[];
  readonly mode: 'live' | 'test' | 'all';
}

export const MOST_ROWS = 10_000;

export const SUMS = `sum(calls)::float8 as "calls", sum(upstream_credits)::float8 as "upstreamCredits",
  sum(unsettled_credits)::float8 as "unsettledCredits", sum(charged_credits)::float8 as "chargedCredits"`;

/** @param table a tenant's sums by day or by hour */
export async function readReport(
  sql: Sql,
  table: 'usage_daily' | 'usage_hourly',
  { from, to, groupBy, mode }: ReportQuery,
): Promise<ReportRow[]> {
  const groups = groupBy.map((name) => `${DIMENSIONS[name].sql} as "${DIMENSIONS[name].member}"`);
  const positions = groupBy.map((_, index) => index + 1).join(', ');
  const { rows } = await sql.query<ReportRow>(
    `select ${[...groups, SUMS].join(', ')} from ${table}
     where day between $1::date and $2::date and ($3 = 'all' or mode = $3)
     ${positions === '' ? 'having count(*) > 0' : `group by ${positions} order by ${positions}`} limit ${MOST_ROWS + 1}`,
    [from, to, mode],
  );
  if (rows.length > MOST_ROWS) throw tooManyGroups(MOST_ROWS);
  return rows;
}

export const totalOf = (rows: readonly Sums[]): Sums => ({
  calls: sum(rows, 'calls'),
  upstreamCredits: sum(rows, 'upstreamCredits'),
  unsettledCredits: sum(rows, 'unsettledCredits'),
  chargedCredits: sum(rows, 'chargedCredits'),
});

const sum = (rows: readonly Sums[], member: keyof Sums): number => rows.reduce((before, row) => before + row[member], 0);

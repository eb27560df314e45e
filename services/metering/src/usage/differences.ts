import type { Sql } from '@weir/tenancy';
import type { ReportQuery } from './report';

/**
 * Why what the upstream took (and may have taken) is not what the tenants pay, in credits: positive where Weir bears them, negative
 * where tenants pay for what cost nothing upstream. The classes add up to the whole difference.
 */
export interface Differences {
  readonly cache: number;
  readonly coalesced: number;
  readonly absorbed: number;
  readonly validation: number;
  readonly unsettled: number;
  /** Attempts charged at another price than they cost, without a class. */
  readonly unexplained: number;
}

const CLASSES = `
  select case when cache in ('hit', 'stale') then 'cache'
              when cache = 'coalesced' then 'coalesced'
              when difference in ('absorbed', 'validation', 'unsettled') then difference
              else 'unexplained' end as class,
         sum(upstream_credits + unsettled_credits - charged_credits)::float8 as credits
  from key_usage where day between $1::date and $2::date and ($3 = 'all' or mode = $3) group by 1`;

export async function readDifferences(sql: Sql, { from, to, mode }: ReportQuery): Promise<Differences> {
  const { rows } = await sql.query<{ class: keyof Differences; credits: number }>(CLASSES, [from, to, mode]);
  const found = Object.fromEntries(rows.map((row) => [row.class, row.credits]));
  return { cache: 0, coalesced: 0, absorbed: 0, validation: 0, unsettled: 0, unexplained: 0, ...found };
}

export const added = (all: readonly Differences[]): Differences =>
  all.reduce((sum, one) => Object.fromEntries(Object.entries(sum).map(([name, credits]) => [name, credits + one[name as keyof Differences]])) as unknown as Differences);

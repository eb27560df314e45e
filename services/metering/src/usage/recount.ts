import type { TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';
import { DIMENSIONS, MEASURES, SUMS, addedTo } from './sums';

/** A row of sums that is not what the records add up to. */
export interface Drifted {
  readonly table: 'usage_hourly' | 'usage_daily' | 'charged_daily';
  /** What a recount gives, or what stands there: of a row that differs in its numbers alone there is one of each. */
  readonly side: 'recounted' | 'standing';
  readonly row: Readonly<Record<string, string | number>>;
}

const MOST_SHOWN = 20;
const measures = MEASURES.map((name) => `sum(${name}) as ${name}`).join(', ');
const measured = (dimensions: string) => `${dimensions}, ${MEASURES.map((name) => `${name}::bigint`).join(', ')}`;

/** Tenant $1, days from $2 on. What adjusts a month before $3, whose records are not all kept any more, is left out on both sides. */
const KNOWN = `day >= $2::date and (adjusts = '' or adjusts >= $3)`;
const RECOUNT = `
  recounted as materialized (
    select ${DIMENSIONS.hourly}, ${SUMS}
    from (select *, case kind when 'reversed' then -1 else 1 end as calls from usage_events where tenant_id = $1 and counts <> 'nothing' and ${KNOWN}) counted
    group by ${DIMENSIONS.hourly}
  ), daily as (select ${DIMENSIONS.daily}, ${measures} from recounted group by ${DIMENSIONS.daily})`;

/** What follows from the sums by day alone, those that are left out above too. */
const CHARGED = `select day, project_id, sum(charged_credits)::bigint as credits from usage_daily where tenant_id = $1 and day >= $2::date and mode = 'live' group by day, project_id having sum(charged_credits) <> 0`;

const differs = (name: Drifted['table'], recounted: string, columns: string, condition: string) => `
  select '${name}' as "table", 'recounted' as side, to_jsonb(d) as row from (select ${columns} from ${recounted} except select ${columns} from ${name} where tenant_id = $1 and ${condition}) d
  union all
  select '${name}', 'standing', to_jsonb(d) from (select ${columns} from ${name} where tenant_id = $1 and ${condition} except select ${columns} from ${recounted}) d`;

const DRIFT = `
  with ${RECOUNT}, charged as (${CHARGED}), drift as (
    ${differs('usage_hourly', 'recounted', measured(DIMENSIONS.hourly), KNOWN)}
    union all ${differs('usage_daily', 'daily', measured(DIMENSIONS.daily), KNOWN)}
    union all ${differs('charged_daily', 'charged', 'day, project_id, credits', 'day >= $2::date and credits <> 0')})
  select (select count(*) from drift)::int as rows, (select coalesce(json_agg(d), '[]') from (select * from drift order by 1, 3 limit ${MOST_SHOWN}) d) as shown`;

export interface Since {
  /** UTC day from which on both are looked at. */
  readonly from: string;
  /** UTC day from which on every record is kept. */
  readonly keptFrom: string;
}

const parameters = (tenant: TenantId, { from, keptFrom }: Since) => [tenant, from, keptFrom.slice(0, 7)];

/** Compares the sums with what the records add up to, as of one moment. */
export async function findDrift(sql: Sql, tenant: TenantId, since: Since): Promise<{ readonly rows: number; readonly shown: readonly Drifted[] }> {
  const { rows } = await sql.query<{ rows: number; shown: Drifted[] }>(DRIFT, parameters(tenant, since));
  return rows[0] ?? { rows: 0, shown: [] };
}

const REBUILD = `
  with ${RECOUNT}, hourly_rows as (
    ${addedTo('usage_hourly', 'recounted', DIMENSIONS.hourly)}
  )
  ${addedTo('usage_daily', 'daily', DIMENSIONS.daily)}`;

const KEYS = `
  select coalesce(json_agg(k), '[]') as keys
  from (select ${DIMENSIONS.byKey}, ${measures} from usage_daily where tenant_id = $1 and day >= $2::date group by ${DIMENSIONS.byKey}) k`;

/** Makes the sums anew from the records, in the tenant's transaction and under its lock. @returns the sums by key that they add up to */
export async function rebuildSums<K>(sql: Sql, tenant: TenantId, since: Since): Promise<readonly K[]> {
  for (const table of ['usage_hourly', 'usage_daily']) await sql.query(`delete from ${table} where tenant_id = $1 and ${KNOWN}`, parameters(tenant, since));
  await sql.query(REBUILD, parameters(tenant, since));
  await sql.query('delete from charged_daily where tenant_id = $1 and day >= $2::date', [tenant, since.from]);
  await sql.query(`insert into charged_daily (tenant_id, day, project_id, credits) select $1, c.* from (${CHARGED}) c`, [tenant, since.from]);
  const { rows } = await sql.query<{ keys: K[] }>(KEYS, [tenant, since.from]);
  return rows[0]?.keys ?? [];
}

import type { PlanRef } from '@weir/contracts';
import type { TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';
import { daysOf } from '../period';
import { USAGE_LOCK } from '../usage/record-usage';
import type { Quantities } from './pricing';
import type { PlanChange, Segment } from './segments';

/** Whose answers are profiles. */
const PROFILE_ENDPOINTS = ['userinfo-by-username'];

const SEATS = `select count(*) from seats where tenant_id = $1 and taken_on <= $3::date and coalesce(given_back_on, $2::date) >= $2::date`;

const COUNT = `
  select coalesce(sum(charged_credits), 0)::text as credits,
         coalesce(sum(calls) filter (where endpoint = any ($4) and cache = 'miss' and status between 200 and 299 and difference = ''), 0)::text as profiles,
         (${SEATS})::text as seats
  from usage_daily where tenant_id = $1 and mode = 'live' and adjusts = '' and day between $2::date and $3::date`;

interface Counted {
  credits: string;
  profiles: string;
  seats: string;
}

/** From the sums by day alone: a month's invoice reads no record of usage. In the tenant's transaction. */
export async function countDays(sql: Sql, tenant: TenantId, { from, to }: Pick<Segment, 'from' | 'to'>): Promise<Quantities> {
  const { rows } = await sql.query<Counted>(COUNT, [tenant, from, to, PROFILE_ENDPOINTS]);
  const { credits = '0', profiles = '0', seats = '0' } = rows[0] ?? {};
  return { credits: BigInt(credits), profiles: BigInt(profiles), seats: BigInt(seats) };
}

/** Seats taken on any of the days. */
export async function countSeats(sql: Sql, tenant: TenantId, { from, to }: Pick<Segment, 'from' | 'to'>): Promise<bigint> {
  const { rows } = await sql.query<{ count: string }>(SEATS, [tenant, from, to]);
  return BigInt(rows[0]?.count ?? 0);
}

export async function chargedIn(sql: Sql, tenant: TenantId, month: string): Promise<bigint> {
  const { from, before } = daysOf(month);
  const { rows } = await sql.query<{ credits: string }>(
    `select coalesce(sum(charged_credits), 0)::text as credits from usage_daily where tenant_id = $1 and mode = 'live' and day >= $2::date and day < $3::date`,
    [tenant, from, before],
  );
  return BigInt(rows[0]?.credits ?? 0);
}

/** How an invoice's line names the closed month that it adjusts: it is found by it. */
export const adjustmentOf = (month: string): string => `Credits of ${month} that were counted after its invoice`;

export interface Adjustment {
  /** The closed month that the credits are of. */
  readonly month: string;
  /** Counted in this month. */
  readonly credits: bigint;
  /** Counted before. */
  readonly earlier: bigint;
}

/** What was counted of closed months in this one. */
export async function adjustmentsIn(sql: Sql, tenant: TenantId, month: string): Promise<Adjustment[]> {
  const { from, before } = daysOf(month);
  const { rows } = await sql.query<{ month: string; credits: string; earlier: string }>(
    `select adjusts as month, coalesce(sum(charged_credits) filter (where day >= $2::date), 0)::text as credits,
            coalesce(sum(charged_credits) filter (where day < $2::date), 0)::text as earlier
     from usage_daily where tenant_id = $1 and mode = 'live' and adjusts <> '' and day < $3::date group by adjusts order by adjusts`,
    [tenant, from, before],
  );
  return rows.map((row) => ({ month: row.month, credits: BigInt(row.credits), earlier: BigInt(row.earlier) })).filter(({ credits }) => credits !== 0n);
}

/** The first month without a final invoice: where the books are open, or that of the first usage; none when there is neither. */
export async function firstOpenMonth(sql: Sql, tenant: TenantId): Promise<string | undefined> {
  const { rows } = await sql.query<{ month: string | null }>(
    `select to_char(coalesce((select open_from from books where tenant_id = $1), (select min(day) from usage_daily where tenant_id = $1)), 'YYYY-MM') as month`,
    [tenant],
  );
  return rows[0]?.month ?? undefined;
}

/** In the order of their times. */
export async function planChanges(sql: Sql, tenant: TenantId): Promise<PlanChange[]> {
  const { rows } = await sql.query<{ at: number; plan: PlanRef }>(
    `select at::float8 as at, json_build_object('id', plan_id, 'version', plan_version) as plan from plan_periods where tenant_id = $1 order by at, event_id`,
    [tenant],
  );
  return rows;
}

/** Whether nobody is counting this tenant's usage now; until the transaction ends nobody will. Never waits: the log's head is held meanwhile. */
export async function stopCounting(sql: Sql, tenant: TenantId): Promise<boolean> {
  const { rows } = await sql.query<{ got: boolean }>(`select pg_try_advisory_xact_lock(${USAGE_LOCK}) as got`, [tenant]);
  return rows[0]?.got === true;
}

import { stateTopic, type BudgetState, type QuotaState } from '@weir/contracts';
import { publishStates, type StateChange } from '@weir/event-store';
import { canonicalJson, utcDay, utcMonth, type TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';
import { standingOf, type BudgetStanding } from '../budget/alarms';
import type { Budget } from '../budget/budget';
import { sayAlarms } from '../budget/say-alarms';
import { daysOf } from '../period';

const QUOTA = stateTopic('quota');
const BUDGETS = stateTopic('budget');

/** What live calls have cost in the UTC day and month of now is summed up once, whatever looks at it. */
const READ = `
  with spent as (
    select project_id, coalesce(sum(credits) filter (where day = $2::date), 0) as day, sum(credits) as month
    from charged_daily where tenant_id = $1 and day >= $3::date and day < $4::date group by project_id
  ), standing as (
    select b.id as "budgetId", b.name, b.project_id as "projectId", b.period, b.limit_credits as "limitCredits", b.hard, b.thresholds, b.forecast,
           (select coalesce(sum(case b.period when 'day' then s.day else s.month end), 0) from spent s where b.project_id is null or s.project_id = b.project_id) as used
    from budgets b where b.tenant_id = $1
  )
  select (select coalesce(sum(day), 0) from spent)::float8 as "dayCredits", (select coalesce(sum(month), 0) from spent)::float8 as "monthCredits",
         (select coalesce(json_agg(s order by name), '[]') from standing s) as budgets,
         (select json_object_agg(topic, body) from published_states where tenant_id = $1 and topic in ('${QUOTA}', '${BUDGETS}') and key = $1) as said`;

/** How far a tenant's allowances are used up. */
export interface Standing {
  readonly quota: QuotaState;
  readonly budgets: readonly BudgetStanding[];
  /** What was last said of them, by topic. */
  readonly said: Readonly<Record<string, string>>;
}

interface Row {
  dayCredits: number;
  monthCredits: number;
  budgets: (Budget & { used: number })[];
  said: Record<string, string> | null;
}

/** In the tenant's transaction. */
export async function readStanding(sql: Sql, tenantId: TenantId, now: number): Promise<Standing> {
  const [day, month] = [utcDay(now), utcMonth(now)];
  const { from, before } = daysOf(month);
  const { rows } = await sql.query<Row & Record<string, unknown>>(READ, [tenantId, day, from, before]);
  const { dayCredits, monthCredits, budgets, said } = rows[0] as Row;
  return {
    quota: { tenantId, day, dayCredits, month, monthCredits },
    budgets: budgets.map(({ used, ...budget }) => standingOf(budget, used, now)),
    said: said ?? {},
  };
}

/**
 * Says what the quota and the budgets are now, where that differs from what was said, and each alarm once a period: in the transaction of what
 * was counted. A limiter refuses whom it has heard nothing of. Whoever says it without having counted takes the tenant's usage lock before, or a batch
 * that is being counted and he would each say what the other did not know.
 */
export async function sayStanding(sql: Sql, tenant: TenantId, now: number): Promise<void> {
  const { quota, budgets, said } = await readStanding(sql, tenant, now);
  const states: StateChange[] = [{ topic: QUOTA, key: tenant, body: quota }];
  if (budgets.length > 0 || said[BUDGETS] !== undefined) states.push({ topic: BUDGETS, key: tenant, body: stateOf(tenant, budgets) });
  const news = states.filter(({ topic, body }) => canonicalJson(body) !== said[topic]);
  if (news.length > 0) await publishStates(sql, news);
  await sayAlarms(sql, tenant, budgets, now);
}

const stateOf = (tenantId: TenantId, budgets: readonly BudgetStanding[]): BudgetState => ({
  tenantId,
  budgets: budgets.map(({ budget: { budgetId, projectId, period, limitCredits, hard }, of, usedCredits }) => ({ budgetId, projectId, period, of, limitCredits, usedCredits, hard })),
});

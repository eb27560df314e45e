import { stateTopic, type BudgetState } from '@weir/contracts';
import { append, publishStates } from '@weir/event-store';
import { canonicalJson, type TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';
import { alarmsOf, standingOf, type Alarm, type BudgetStanding } from './alarms';
import type { Budget } from './budget';

const TOPIC = stateTopic('budget');

const READ = `
  select id as "budgetId", name, project_id as "projectId", period, limit_credits::float8 as "limitCredits", hard, thresholds, forecast,
         (select coalesce(sum(charged_credits), 0) from usage_daily u
          where u.tenant_id = $1 and u.mode = 'live' and (b.project_id is null or u.project_id = b.project_id)
            and u.day >= (case b.period when 'day' then $2::date else date_trunc('month', $2::date)::date end) and u.day <= $2::date)::float8 as used
  from budgets b where b.tenant_id = $1 order by name`;

/** How each budget of a tenant stands, in its transaction. */
export async function readStandings(sql: Sql, tenant: TenantId, now: number): Promise<BudgetStanding[]> {
  const day = new Date(now).toISOString().slice(0, 10);
  const { rows } = await sql.query<Budget & { used: number }>(READ, [tenant, day]);
  return rows.map(({ used, ...budget }) => standingOf(budget, used, now));
}

/** Says how budgets stand, where that differs from what was said, and each alarm once a period: in the transaction of what was counted. */
export async function sayBudgets(sql: Sql, tenant: TenantId, now: number): Promise<void> {
  const standings = await readStandings(sql, tenant, now);
  const said = await saidOf(sql, tenant);
  if (standings.length === 0 && said === undefined) return;
  const state: BudgetState = {
    tenantId: tenant,
    budgets: standings.map(({ budget: { budgetId, projectId, period, limitCredits, hard }, of, usedCredits }) => ({ budgetId, projectId, period, of, limitCredits, usedCredits, hard })),
  };
  if (canonicalJson(state) !== said) await publishStates(sql, [{ topic: TOPIC, key: tenant, body: state }]);
  for (const standing of standings) for (const alarm of alarmsOf(standing)) await sayOnce(sql, tenant, standing, alarm, now);
}

async function saidOf(sql: Sql, tenant: TenantId): Promise<string | undefined> {
  const { rows } = await sql.query<{ body: string | null }>('select body from published_states where tenant_id = $1 and topic = $2 and key = $1', [tenant, TOPIC]);
  return rows[0]?.body ?? undefined;
}

async function sayOnce(sql: Sql, tenant: TenantId, { budget: { budgetId }, of }: BudgetStanding, { key, fact }: Alarm, now: number): Promise<void> {
  const { rowCount } = await sql.query('insert into budget_alarms (tenant_id, budget_id, of, alarm, at) values ($1, $2, $3, $4, $5) on conflict do nothing', [tenant, budgetId, of, key, now]);
  if (rowCount === 0) return;
  await append(sql, {
    tenant,
    stream: `budget-alarms/${budgetId}`,
    expected: 'any',
    events: [fact],
    context: { actor: { type: 'service', id: 'metering' }, commandId: `${budgetId}/${of}/${key}`, at: now, action: 'budget alarm' },
  });
}

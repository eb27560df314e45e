import { stateTopic, type BudgetState } from '@weir/contracts';
import { append, publishStates } from '@weir/event-store';
import { canonicalJson, utcDay, type TenantId } from '@weir/kernel';
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
    const { rows } = await sql.query<Budget & { used: number }>(READ, [tenant, utcDay(now)]);
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
  const due = standings.flatMap((standing) => alarmsOf(standing).map(({ key, fact }) => ({ budgetId: standing.budget.budgetId, of: standing.of, key, fact })));
  if (due.length > 0) await sayOnce(sql, tenant, due, now);
}

async function saidOf(sql: Sql, tenant: TenantId): Promise<string | undefined> {
  const { rows } = await sql.query<{ body: string | null }>('select body from published_states where tenant_id = $1 and topic = $2 and key = $1', [tenant, TOPIC]);
  return rows[0]?.body ?? undefined;
}

interface Due extends Alarm {
  readonly budgetId: string;
  /** The day or month. */
  readonly of: string;
}

/** Those that have not been said in their period yet. */
async function sayOnce(sql: Sql, tenant: TenantId, due: readonly Due[], now: number): Promise<void> {
  const { rows } = await sql.query<{ budget_id: string; of: string; alarm: string }>(
    `insert into budget_alarms (tenant_id, budget_id, of, alarm, at) select $1, *, $5 from unnest($2::text[], $3::text[], $4::text[])
     on conflict do nothing returning budget_id, of, alarm`,
    [tenant, due.map(({ budgetId }) => budgetId), due.map(({ of }) => of), due.map(({ key }) => key), now],
  );
  const fresh = new Set(rows.map((row) => `${row.budget_id}/${row.of}/${row.alarm}`));
  for (const { budgetId, of, key, fact } of due) {
    const commandId = `${budgetId}/${of}/${key}`;
    if (!fresh.has(commandId)) continue;
    await append(sql, {
      tenant,
      stream: `budget-alarms/${budgetId}`,
      expected: 'any',
      events: [fact],
      context: { actor: { type: 'service', id: 'metering' }, commandId, at: now, action: 'budget alarm' },
    });
  }
}

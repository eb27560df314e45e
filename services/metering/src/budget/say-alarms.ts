import { append } from '@weir/event-store';
import type { TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';
import { ofItself } from '../usage/on-record';
import { alarmsOf, type BudgetStanding } from './alarms';

/** Those that have not been said in their period yet. */
export async function sayAlarms(sql: Sql, tenant: TenantId, standings: readonly BudgetStanding[], now: number): Promise<void> {
  const due = standings.flatMap((standing) => alarmsOf(standing).map(({ key, fact }) => ({ budgetId: standing.budget.budgetId, of: standing.of, key, fact })));
  if (due.length === 0) return;
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
      context: ofItself('budget alarm', commandId, now),
    });
  }
}

import type { BudgetEvent } from '@weir/contracts';
import type { EntitySql } from '@weir/entities';
import type { EventLog } from '@weir/event-store';
import { newId, type Clock, type CommandContext, type Decide, type TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { readStanding, sayStanding } from '../standing/standing';
import { lockUsage } from '../usage/record-usage';
import type { BudgetStanding } from './alarms';
import { budgets, removeBudget, setBudget, type Budgets, type BudgetTerms } from './budget';
import { BudgetRow } from './read-model';

export interface BudgetView extends BudgetTerms {
  readonly id: string;
  /** The UTC day or month that the figures are of. */
  readonly of: string;
  readonly usedCredits: number;
  readonly remainingCredits: number;
  /** At the pace so far; null early in the period. */
  readonly forecastCredits: number | null;
}

export class BudgetService {
  constructor(
    private readonly events: EventLog<EntitySql>,
    private readonly work: UnitOfWork<EntitySql>,
    private readonly clock: Clock,
  ) {}

  async list(tenant: TenantId): Promise<BudgetView[]> {
    const { budgets } = await this.work.inTenant(tenant, (sql) => readStanding(sql, tenant, this.clock()));
    return budgets.map(view);
  }

  async set(tenant: TenantId, terms: BudgetTerms, context: CommandContext, ifVersion: number | undefined): Promise<{ budget: BudgetView; version: number }> {
    const version = await this.decide(tenant, setBudget(terms, newId('bud', context.at)), context, ifVersion);
    const budget = (await this.list(tenant)).find(({ name }) => name === terms.name) as BudgetView;
    return { budget, version };
  }

  async remove(tenant: TenantId, name: string, context: CommandContext, ifVersion: number | undefined): Promise<void> {
    await this.decide(tenant, removeBudget(name), context, ifVersion);
  }

  /** What is used of it already counts at once: the limiter hears of a budget with the decision that made it. */
  private async decide(tenant: TenantId, decide: Decide<Budgets, BudgetEvent>, context: CommandContext, ifVersion: number | undefined): Promise<number> {
    const { version } = await this.events.decide<Budgets, BudgetEvent>({
      tenant,
      stream: 'budgets',
      aggregate: budgets,
      decide,
      context,
      ifVersion,
      also: async (sql, { events }) => {
        for (const event of events) await keep(sql, tenant, event);
        await sayStanding(sql, tenant, context.at);
      },
    });
    // once more, after a batch that was being counted meanwhile and knew nothing of it; its lock comes before that of the log, which the decision holds
    await this.work.inTenant(tenant, async (sql) => {
      await lockUsage(sql, tenant);
      await sayStanding(sql, tenant, this.clock());
    });
    return version;
  }
}

async function keep(sql: EntitySql, tenantId: TenantId, event: BudgetEvent): Promise<void> {
  if (event.type === 'budget.removed') return void (await sql.manager.delete(BudgetRow, { tenantId, id: event.data.budgetId }));
  const { budgetId: id, ...terms } = event.data;
  await sql.manager.save(BudgetRow, { tenantId, id, ...terms });
}

const view = ({ budget: { budgetId, ...terms }, of, usedCredits, forecastCredits }: BudgetStanding): BudgetView => ({
  id: budgetId,
  ...terms,
  of,
  usedCredits,
  remainingCredits: Math.max(0, terms.limitCredits - usedCredits),
  forecastCredits,
});

import type { PlanRef } from '@weir/contracts';
import { utcDay, type Clock, type TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { sayStanding } from '../standing/standing';
import { lockUsage } from '../usage/record-usage';

// A seat that was given back is never taken again under the same id, so the two events may come in any order and any number.
const TAKE = `insert into seats (tenant_id, member_id, taken_on) values ($1, $2, $3)
  on conflict (tenant_id, member_id) do update set taken_on = coalesce(seats.taken_on, excluded.taken_on)`;
const GIVE_BACK = `insert into seats (tenant_id, member_id, given_back_on) values ($1, $2, $3)
  on conflict (tenant_id, member_id) do update set given_back_on = coalesce(seats.given_back_on, excluded.given_back_on)`;
const PLAN = 'insert into plan_periods (tenant_id, event_id, at, plan_id, plan_version) values ($1, $2, $3, $4, $5) on conflict do nothing';

export class Tenants {
  constructor(
    private readonly work: UnitOfWork,
    private readonly clock: Clock,
  ) {}

  /** A tenant has a quota from its registration on, with nothing used: without one, its calls could not be accounted for. */
  welcome(tenant: TenantId): Promise<void> {
    return this.work.inTenant(tenant, async (sql) => {
      await lockUsage(sql, tenant);
      await sayStanding(sql, tenant, this.clock());
    });
  }

  async seat(tenant: TenantId, member: string, taken: boolean, at: number): Promise<void> {
    await this.work.inTenant(tenant, (sql) => sql.query(taken ? TAKE : GIVE_BACK, [tenant, member, utcDay(at)]));
  }

  /** The plan holds from then on: invoices price each day of a month by the plan that held. */
  async plan(tenant: TenantId, eventId: string, at: number, plan: PlanRef): Promise<void> {
    await this.work.inTenant(tenant, (sql) => sql.query(PLAN, [tenant, eventId, at, plan.id, plan.version]));
  }
}

import type { Clock, TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { sayQuota } from '../quota/quota';

// A seat that was given back is never taken again under the same id, so the two events may come in any order and any number.
const TAKE = 'insert into seats (tenant_id, member_id, taken) values ($1, $2, true) on conflict do nothing';
const GIVE_BACK = `insert into seats (tenant_id, member_id, taken) values ($1, $2, false)
  on conflict (tenant_id, member_id) do update set taken = false`;

export class Tenants {
  constructor(
    private readonly work: UnitOfWork,
    private readonly clock: Clock,
  ) {}

  /** A tenant has a quota from its registration on, with nothing used: without one, its calls could not be accounted for. */
  welcome(tenant: TenantId): Promise<void> {
    return this.work.inTenant(tenant, (sql) => sayQuota(sql, tenant, this.clock()));
  }

  async seat(tenant: TenantId, member: string, taken: boolean): Promise<void> {
    await this.work.inTenant(tenant, (sql) => sql.query(taken ? TAKE : GIVE_BACK, [tenant, member]));
  }
}

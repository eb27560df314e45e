import type { Role } from '@weir/contracts';
import { AppError, idFrom, rfc3339, type CommandContext, type MemberId, type TenantId } from '@weir/kernel';
import { sqlState, type UnitOfWork } from '@weir/tenancy';
import type { EntitySql } from '@weir/entities';
import type { PlanService } from '../plan/plan.service';
import { addMember, removeMember } from '../tenant/tenant';
import type { TenantService } from '../tenant/tenant.service';

export interface MemberView {
  readonly id: string;
  readonly email: string;
  readonly role: Role;
  readonly createdAt: string;
}

const UNIQUE_VIOLATION = '23505';

/** Seats. Who sits there is a row in the tenant's schema; the log knows the seat alone. */
export class MemberService {
  constructor(
    private readonly work: UnitOfWork<EntitySql>,
    private readonly tenants: TenantService,
    private readonly plans: PlanService,
  ) {}

  async add(tenant: TenantId, { email, role }: { email: string; role: Role }, context: CommandContext): Promise<MemberView> {
    const { plan } = await this.tenants.state(tenant);
    const { seats } = await this.plans.terms(plan);
    const memberId = idFrom('mem', context.commandId, context.at);
    await this.tenants
      .decide(tenant, addMember({ memberId, role, seats }), context, undefined, async (sql) => {
        await sql.query('insert into members (tenant_id, id, email, role, created_at) values ($1, $2, $3, $4, $5)', [tenant, memberId, email, role, context.at]);
      })
      .catch((error: unknown) => {
        throw sqlState(error) === UNIQUE_VIOLATION ? new AppError('member-exists', 'conflict', 'Somebody with this address has a seat already.') : error;
      });
    return { id: memberId, email, role, createdAt: rfc3339(context.at) };
  }

  async list(tenant: TenantId): Promise<MemberView[]> {
    const { rows } = await this.work.inTenant(tenant, (sql) =>
      sql.query<{ id: string; email: string; role: Role; created_at: string }>(
        'select id, email, role, created_at from members where tenant_id = $1 order by id',
        [tenant],
      ),
    );
    return rows.map(({ id, email, role, created_at }) => ({ id, email, role, createdAt: rfc3339(Number(created_at)) }));
  }

  async remove(tenant: TenantId, id: MemberId, context: CommandContext): Promise<void> {
    await this.tenants.decide(tenant, removeMember(id), context, undefined, async (sql) => {
      await sql.query('delete from members where tenant_id = $1 and id = $2', [tenant, id]);
    });
  }
}

import type { KeyMode } from '@weir/contracts';
import { fact, idFrom, type CommandContext, type OperationId, type TenantId } from '@weir/kernel';
import { sqlState, type Placement, type Provisioner } from '@weir/tenancy';
import { keyModeNotInPlan, slugTaken, unknownCluster } from '../errors';
import type { PlanService } from '../plan/plan.service';
import { OperationRow, TenantRow } from '../read-models';
import { trialEnd, type TenantService } from '../tenant/tenant.service';
import { record, type OperationView, type Operations } from './operations';
import type { Receipts } from './receipts';

const UNIQUE_VIOLATION = '23505';

export interface TenantRequest {
  readonly slug: string;
  readonly name: string;
  readonly plan: string;
  readonly keyMode: KeyMode | undefined;
  readonly placement: Placement['kind'] | undefined;
  /** Of placement `database`. */
  readonly cluster: string | undefined;
}

interface Command {
  readonly request: Omit<TenantRequest, 'keyMode' | 'placement'> & { keyMode: KeyMode; placement: Placement['kind']; planVersion: number; trialEndsAt: number | null };
  readonly context: CommandContext;
}

/**
 * A tenant comes to be in three steps, each of which may be done again: its slug and its request go on record, its schema is made,
 * its own log begins. What a crash leaves behind is taken up at the next start.
 */
export class Provisioning {
  constructor(
    private readonly operations: Operations,
    private readonly receipts: Receipts,
    private readonly provisioner: Provisioner,
    private readonly tenants: TenantService,
    private readonly plans: PlanService,
    private readonly clusters: readonly string[],
  ) {
    operations.handle('tenant.provision', (row) => this.carryOut(row));
  }

  async request(request: TenantRequest, context: CommandContext): Promise<OperationView> {
    const { ref, terms } = await this.plans.resolve(request.plan);
    const keyMode = request.keyMode ?? terms.keyModes[0] ?? 'shared';
    if (!terms.keyModes.includes(keyMode)) throw keyModeNotInPlan(keyMode, terms.keyModes);
    // a plan asks for a database of its own without saying which: an operator does
    const placement = request.placement ?? (terms.placement === 'database' ? 'schema' : terms.placement);
    if (placement === 'database' && !this.clusters.includes(request.cluster ?? '')) throw unknownCluster(request.cluster, this.clusters);
    const tenantId = idFrom('ten', context.commandId, context.at);
    const operationId = idFrom('op', context.commandId, context.at);
    const full = { ...request, keyMode, placement, planVersion: ref.version, trialEndsAt: trialEnd(terms.trialDays, context.at) };

    await this.record(tenantId, operationId, { request: full, context });
    return this.operations.carryOut(operationId);
  }

  private async record(tenantId: TenantId, operationId: OperationId, command: Command): Promise<void> {
    const { slug, name, plan, planVersion, keyMode, placement, trialEndsAt } = command.request;
    const { context } = command;
    const requested = fact('tenant.requested', { tenantId, slug, name, plan: { id: plan, version: planVersion }, keyMode, placement });
    const control: Parameters<Receipts['add']>[3] = {
      control: async (sql) => {
        const row: TenantRow = {
          id: tenantId,
          slug,
          name,
          status: 'provisioning',
          keyMode,
          planId: plan,
          planVersion,
          placement,
          trialEndsAt,
          version: 0,
          createdAt: context.at,
        };
        await sql.manager.insert(TenantRow, row);
        await record(sql, { id: operationId, tenantId, kind: 'tenant.provision', command, context });
      },
    };
    await this.receipts.add(tenantId, requested, context, control).catch((error: unknown) => {
      throw sqlState(error) === UNIQUE_VIOLATION ? slugTaken(slug) : error;
    });
  }

  private async carryOut(row: OperationRow): Promise<null> {
    const tenantId = row.tenantId as TenantId;
    const { request, context } = row.command as Command;
    const { slug, name, plan, planVersion, keyMode, placement, cluster, trialEndsAt } = request;
    const { schema } = await this.provisioner.provision(tenantId, placement === 'database' ? { kind: placement, cluster: cluster ?? '' } : placement);
    await this.tenants.register(tenantId, { slug, name, plan: { id: plan, version: planVersion }, keyMode, placement, trialEndsAt }, context);
    await this.receipts.add(tenantId, fact('tenant.provisioned', { tenantId, schema }), context);
    return null;
  }
}

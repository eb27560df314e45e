import { idFrom, type CommandContext, type TenantId } from '@weir/kernel';
import type { Mover, Placement } from '@weir/tenancy';
import { unknownCluster } from '../errors';
import type { OperationRow } from '../read-models';
import { move } from '../tenant/tenant';
import type { TenantService } from '../tenant/tenant.service';
import type { OperationView, Operations } from './operations';

interface Command {
  readonly to: Placement;
  readonly context: CommandContext;
}

/** Moves a tenant's data to another placement while it works; its log says so afterwards. */
export class Placing {
  constructor(
    private readonly operations: Operations,
    private readonly mover: Mover,
    private readonly tenants: TenantService,
    private readonly clusters: readonly string[],
  ) {
    operations.handle('tenant.move', (row) => operations.inTurn(() => this.carryOut(row)));
  }

  async request(tenantId: TenantId, to: Placement, context: CommandContext): Promise<OperationView> {
    await this.tenants.state(tenantId);
    if (to.kind === 'database' && !this.clusters.includes(to.cluster)) throw unknownCluster(to.cluster, this.clusters);
    return this.operations.begin({ id: idFrom('op', context.commandId, context.at), tenantId, kind: 'tenant.move', command: { to, context } satisfies Command, context });
  }

  /** Undoes or finishes what a killed process was at. */
  settle(): Promise<void> {
    return this.operations.inTurn(() => this.mover.settle());
  }

  private async carryOut(row: OperationRow): Promise<string> {
    const tenantId = row.tenantId as TenantId;
    const { to, context } = row.command as Command;
    const moved = await this.mover.move(tenantId, to);
    const { placement } = await this.tenants.state(tenantId);
    if (moved === undefined && placement === to.kind) return 'it was there already';
    const { epoch, position, chainHash } = moved ?? (await this.mover.head(tenantId));
    await this.tenants.change(tenantId, move({ placement: to.kind, cluster: to.kind === 'database' ? to.cluster : null, epoch, position, chainHash }), context);
    return moved === undefined ? 'moved before a restart' : `${position} events, chain ${chainHash.slice(0, 12)}…, read only for ${Math.round(moved.heldMs)} ms`;
  }
}

import type { KeyMode } from '@weir/contracts';
import type { EventLog } from '@weir/event-store';
import { PLATFORM, fact, idFrom, rfc3339, sleep, type CommandContext, type OperationId, type TenantId } from '@weir/kernel';
import { sqlState, type PlacementKind, type Provisioner, type UnitOfWork } from '@weir/tenancy';
import type { RegistrySql } from '../database';
import { keyModeNotInPlan, operationNotFound, slugTaken } from '../errors';
import type { PlanService } from '../plan/plan.service';
import { OperationRow, TenantRow } from '../read-models';
import { trialEnd, type TenantService, type TenantView } from '../tenant/tenant.service';

const UNIQUE_VIOLATION = '23505';

export interface TenantRequest {
  readonly slug: string;
  readonly name: string;
  readonly plan: string;
  readonly keyMode: KeyMode | undefined;
  readonly placement: PlacementKind | undefined;
}

/** A step of work that outlives its request; whoever asks again sees how far it is. */
export interface OperationView {
  readonly id: string;
  readonly kind: string;
  readonly status: OperationRow['status'];
  readonly tenantId: string;
  readonly detail: string | null;
  readonly createdAt: string;
  readonly finishedAt: string | null;
  readonly tenant: TenantView | null;
}

interface Command {
  readonly request: TenantRequest & { keyMode: KeyMode; placement: PlacementKind; planVersion: number; trialEndsAt: number | null };
  readonly context: CommandContext;
}

/**
 * A tenant comes to be in three steps, each of which may be done again: its slug and its request go on record, its schema is made,
 * its own log begins. What a crash leaves behind is taken up at the next start.
 */
export class Provisioning {
  constructor(
    private readonly events: EventLog<RegistrySql>,
    private readonly work: UnitOfWork<RegistrySql>,
    private readonly provisioner: Provisioner,
    private readonly tenants: TenantService,
    private readonly plans: PlanService,
    private readonly onError: (error: Error) => void,
  ) {}

  async request(request: TenantRequest, context: CommandContext): Promise<OperationView> {
    const { ref, terms } = await this.plans.resolve(request.plan);
    const keyMode = request.keyMode ?? terms.keyModes[0] ?? 'shared';
    if (!terms.keyModes.includes(keyMode)) throw keyModeNotInPlan(keyMode, terms.keyModes);
    const placement = request.placement ?? (terms.placement === 'pooled' ? 'pooled' : 'schema');
    const tenantId = idFrom('ten', context.commandId, context.at);
    const operationId = idFrom('op', context.commandId, context.at);
    const full = { ...request, keyMode, placement, planVersion: ref.version, trialEndsAt: trialEnd(terms.trialDays, context.at) };

    await this.record(tenantId, operationId, { request: full, context });
    void this.carryOut(operationId).catch(this.onError);
    return this.get(operationId);
  }

  async get(id: OperationId): Promise<OperationView> {
    const row = await this.row(id);
    const tenant = row.status === 'succeeded' ? await this.tenants.get(row.tenantId as TenantId) : null;
    return toView(row, tenant);
  }

  /** Waits until the operation has ended or `ms` have passed, whichever is first. */
  async wait(id: OperationId, ms: number): Promise<OperationView> {
    const deadline = Date.now() + ms;
    while (Date.now() < deadline) {
      if ((await this.row(id)).status !== 'running') break;
      await sleep(20);
    }
    return this.get(id);
  }

  /** Takes up what an earlier process left running. */
  async resume(): Promise<void> {
    const open = await this.work.inControl((sql) => sql.manager.findBy(OperationRow, { status: 'running' }));
    for (const { id } of open) await this.carryOut(id as OperationId).catch(this.onError);
  }

  private async record(tenantId: TenantId, operationId: OperationId, command: Command): Promise<void> {
    const { slug, name, plan, planVersion, keyMode, placement } = command.request;
    const requested = fact('tenant.requested', { tenantId, slug, name, plan: { id: plan, version: planVersion }, keyMode, placement });
    await this.append(tenantId, 'request', requested, command.context, async (sql) => {
      const row: TenantRow = {
        id: tenantId,
        slug,
        name,
        status: 'provisioning',
        keyMode,
        planId: plan,
        planVersion,
        placement,
        trialEndsAt: command.request.trialEndsAt,
        version: 0,
        createdAt: command.context.at,
      };
      await sql.manager.insert(TenantRow, row);
      await sql.manager.insert(OperationRow, {
        id: operationId,
        tenantId,
        kind: 'tenant.provision',
        status: 'running',
        detail: null,
        command: command as never,
        createdAt: command.context.at,
        finishedAt: null,
      });
    }).catch((error: unknown) => {
      throw sqlState(error) === UNIQUE_VIOLATION ? slugTaken(slug) : error;
    });
  }

  private async carryOut(id: OperationId): Promise<void> {
    const row = await this.row(id);
    const tenantId = row.tenantId as TenantId;
    const { request, context } = row.command as Command;
    try {
      const { schema } = await this.provisioner.provision(tenantId, request.placement);
      const { slug, name, plan, planVersion, keyMode, placement, trialEndsAt } = request;
      await this.tenants.register(
        tenantId,
        { slug, name, plan: { id: plan, version: planVersion }, keyMode, placement, trialEndsAt },
        context,
      );
      await this.append(tenantId, 'done', fact('tenant.provisioned', { tenantId, schema }), context, (sql) => finish(sql, id, 'succeeded', null));
    } catch (error) {
      await this.work.inControl((sql) => finish(sql, id, 'failed', (error as Error).message));
      throw error;
    }
  }

  private append(
    tenantId: TenantId,
    step: string,
    event: { type: string; data: unknown },
    context: CommandContext,
    also: (sql: RegistrySql) => Promise<unknown>,
  ) {
    const aggregate = { initial: new Set<string>(), evolve: (seen: Set<string>, { type }: { type: string }) => new Set(seen).add(type) };
    return this.events.decide({
      tenant: PLATFORM,
      stream: `provisioning/${tenantId}`,
      aggregate,
      decide: (seen) => (seen.has(event.type) ? [] : [event]),
      context: { ...context, commandId: `${context.commandId}/${step}` },
      also: async (sql) => {
        await this.work.leaveTenant(sql);
        await also(sql);
      },
    });
  }

  private async row(id: OperationId): Promise<OperationRow> {
    const row = await this.work.inControl((sql) => sql.manager.findOneBy(OperationRow, { id }));
    if (row === null) throw operationNotFound();
    return row;
  }
}

const finish = (sql: RegistrySql, id: OperationId, status: 'succeeded' | 'failed', detail: string | null) =>
  sql.manager.update(OperationRow, { id }, { status, detail, finishedAt: Date.now() });

const toView = (row: OperationRow, tenant: TenantView | null): OperationView => ({
  id: row.id,
  kind: row.kind,
  status: row.status,
  tenantId: row.tenantId,
  detail: row.detail,
  createdAt: rfc3339(row.createdAt),
  finishedAt: row.finishedAt === null ? null : rfc3339(row.finishedAt),
  tenant,
});

import { stateTopic, type KeyMode, type TenantEvent, type TenantState } from '@weir/contracts';
import type { EventLog } from '@weir/event-store';
import { idFrom, idTimeMs, rfc3339, type CommandContext, type Decide, type TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import type { EntitySql } from '@weir/entities';
import { tenantNotFound } from '../errors';
import type { PlanService } from '../plan/plan.service';
import { TenantRow } from '../read-models';
import { changeKeyMode, changePlan, known, register, tenant, toState, type KnownTenant, type Registration, type Tenant } from './tenant';

const DAY_MS = 86_400_000;

/** A tenant as the API shows it. */
export interface TenantView {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly status: TenantRow['status'];
  readonly keyMode: string;
  readonly plan: { id: string; version: number };
  readonly placement: string;
  readonly trialEndsAt: string | null;
  readonly defaultProject: string | null;
  readonly createdAt: string;
  readonly version: number;
}

export class TenantService {
  constructor(
    private readonly events: EventLog<EntitySql>,
    private readonly work: UnitOfWork<EntitySql>,
    private readonly plans: PlanService,
  ) {}

  /** The first events of a tenant's own log, once its schema is there. */
  async register(id: TenantId, registration: Omit<Registration, 'defaultProject'>, context: CommandContext): Promise<TenantView> {
    const defaultProject = idFrom('prj', `${id}/default`, idTimeMs(id));
    await this.decide(id, register({ ...registration, defaultProject }), context, undefined, async (sql) => {
      await sql.query('insert into projects (tenant_id, id, name, created_at) values ($1, $2, $3, $4) on conflict do nothing', [id, defaultProject, 'default', context.at]);
    });
    return this.get(id);
  }

  async get(id: TenantId): Promise<TenantView> {
    const loaded = await this.events.load<Tenant, TenantEvent>(id, stream(id), tenant).catch(() => undefined);
    if (loaded !== undefined && loaded.state.is !== 'unknown') return view(id, loaded.state, loaded.version);
    const row = await this.work.inControl((sql) => sql.manager.findOneBy(TenantRow, { id }));
    if (row === null) throw tenantNotFound();
    return fromRow(row);
  }

  async state(id: TenantId): Promise<KnownTenant> {
    return known((await this.events.load<Tenant, TenantEvent>(id, stream(id), tenant)).state);
  }

  /** A row stands beside its tenant's data: one that has moved left an older one behind. */
  async list(page: { limit: number; after: string | undefined }): Promise<TenantView[]> {
    const pages = await this.work.inEveryControl((sql) =>
      sql.manager
        .createQueryBuilder(TenantRow, 't')
        .where(page.after === undefined ? 'true' : 't.id > :after', { after: page.after })
        .orderBy('t.id')
        .take(page.limit + 1)
        .getMany(),
    );
    const newest = new Map<string, TenantRow>();
    for (const row of pages.flat()) if (row.version >= (newest.get(row.id)?.version ?? 0)) newest.set(row.id, row);
    return [...newest.values()].sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, page.limit + 1).map(fromRow);
  }

  async setKeyMode(id: TenantId, mode: KeyMode, context: CommandContext, ifVersion: number | undefined): Promise<TenantView> {
    const { plan } = await this.state(id);
    const { keyModes } = await this.plans.terms(plan);
    return this.change(id, changeKeyMode(mode, keyModes), context, ifVersion);
  }

  async setPlan(id: TenantId, planId: string, version: number | undefined, context: CommandContext, ifVersion: number | undefined): Promise<TenantView> {
    const { ref, terms } = await this.plans.resolve(planId, version);
    return this.change(id, changePlan({ plan: ref, keyModes: terms.keyModes, trialEndsAt: trialEnd(terms.trialDays, context.at) }), context, ifVersion);
  }

  async change(id: TenantId, decision: Decide<Tenant, TenantEvent>, context: CommandContext, ifVersion?: number): Promise<TenantView> {
    const { state, version } = await this.decide(id, decision, context, ifVersion);
    return view(id, known(state), version);
  }

  /** @param also writes in the tenant's schema, in the same transaction */
  decide(
    id: TenantId,
    decision: Decide<Tenant, TenantEvent>,
    context: CommandContext,
    ifVersion?: number,
    also?: (sql: EntitySql) => Promise<void>,
  ) {
    return this.events.decide<Tenant, TenantEvent>({
      tenant: id,
      stream: stream(id),
      aggregate: tenant,
      decide: decision,
      context,
      ifVersion,
      states: (state, version) => [{ topic: stateTopic('tenant'), key: id, body: toState(id, state, version, idTimeMs(id)) satisfies TenantState }],
      also: async (sql, { state, version }) => {
        await also?.(sql);
        await this.work.leaveTenant(sql);
        await sql.manager.upsert(TenantRow, toRow(id, known(state), version), ['id']);
      },
    });
  }
}

export const trialEnd = (days: number | null, at: number): number | null => (days === null ? null : at + days * DAY_MS);

const stream = (id: TenantId) => `tenant/${id}`;

const view = (id: TenantId, state: KnownTenant, version: number): TenantView => ({
  id,
  slug: state.slug,
  name: state.name,
  status: state.is,
  keyMode: state.keyMode,
  plan: state.plan,
  placement: state.placement,
  trialEndsAt: state.trialEndsAt === null ? null : rfc3339(state.trialEndsAt),
  defaultProject: state.projects[0] ?? null,
  createdAt: rfc3339(idTimeMs(id)),
  version,
});

const toRow = (id: TenantId, state: KnownTenant, version: number): TenantRow => ({
  id,
  slug: state.slug,
  name: state.name,
  status: state.is,
  keyMode: state.keyMode,
  planId: state.plan.id,
  planVersion: state.plan.version,
  placement: state.placement,
  trialEndsAt: state.trialEndsAt,
  version,
  createdAt: idTimeMs(id),
});

const fromRow = (row: TenantRow): TenantView => ({
  id: row.id,
  slug: row.slug,
  name: row.name,
  status: row.status,
  keyMode: row.keyMode,
  plan: { id: row.planId, version: row.planVersion },
  placement: row.placement,
  trialEndsAt: row.trialEndsAt === null ? null : rfc3339(row.trialEndsAt),
  defaultProject: null,
  createdAt: rfc3339(row.createdAt),
  version: row.version,
});

import { planTerms, stateTopic, type PlanRef, type PlanTerms } from '@weir/contracts';
import type { EventLog } from '@weir/event-store';
import { PLATFORM, notFound, type Aggregate, type CommandContext, type Decide } from '@weir/kernel';
import type { PlanEvent } from '@weir/contracts';
import type { UnitOfWork } from '@weir/tenancy';
import type { EntitySql } from '@weir/entities';
import { unknownPlan } from '../errors';
import { PlanRow } from '../read-models';
import { FIRST_PLANS } from './first-plans';
import { archive, draft, latestPublished, nextVersion, plan, publish, type Plan } from './plan';

const stream = (id: string) => `plan/${id}`;
const aggregate: Aggregate<Plan, PlanEvent> = plan;

export class PlanService {
  constructor(
    private readonly events: EventLog<EntitySql>,
    private readonly work: UnitOfWork<EntitySql>,
  ) {}

  /** The version of a plan that a tenant is put on: the one asked for, or the latest published. */
  async resolve(id: string, version?: number): Promise<{ ref: PlanRef; terms: PlanTerms }> {
    const { state } = await this.events.load(PLATFORM, stream(id), aggregate);
    const chosen = version ?? latestPublished(state);
    const found = chosen === undefined ? undefined : state.versions.get(chosen);
    if (chosen === undefined || found === undefined || !found.published) throw unknownPlan(version === undefined ? id : `${id}@${version}`);
    return { ref: { id, version: chosen }, terms: found.terms };
  }

  /** The terms of a version that tenants are on, archived or not. */
  async terms({ id, version }: PlanRef): Promise<PlanTerms> {
    const { state } = await this.events.load(PLATFORM, stream(id), aggregate);
    const found = state.versions.get(version);
    if (found === undefined) throw notFound('plan');
    return found.terms;
  }

  list(): Promise<PlanRow[]> {
    return this.work.inControl((sql) => sql.manager.find(PlanRow, { order: { id: 'ASC', version: 'ASC' } }));
  }

  async draftVersion(id: string, terms: PlanTerms, context: CommandContext): Promise<{ id: string; version: number; status: 'draft'; terms: PlanTerms }> {
    const { state } = await this.events.load(PLATFORM, stream(id), aggregate);
    const version = nextVersion(state);
    await this.decide(id, draft({ planId: id, version, terms: planTerms.parse(terms) }), context);
    return { id, version, status: 'draft', terms };
  }

  async publish(id: string, version: number | undefined, context: CommandContext): Promise<{ id: string; version: number; status: 'published' }> {
    const { state } = await this.events.load(PLATFORM, stream(id), aggregate);
    const chosen = version ?? Math.max(0, ...state.versions.keys());
    await this.decide(id, publish({ planId: id, version: chosen }), context);
    return { id, version: chosen, status: 'published' };
  }

  async archive(id: string, context: CommandContext): Promise<{ id: string; status: 'archived' }> {
    await this.decide(id, archive(id), context);
    return { id, status: 'archived' };
  }

  /** The plans of a new installation; nothing when they are there. */
  async seed(at: number): Promise<void> {
    for (const [id, terms] of Object.entries(FIRST_PLANS)) {
      const context = (step: string): CommandContext => ({ actor: { type: 'service', id: 'tenant-registry' }, commandId: `first-plans/${id}/${step}`, at, action: 'first boot' });
      const { state } = await this.events.load(PLATFORM, stream(id), aggregate);
      // a boot that was cut off between the two goes on where it was
      if (state.versions.size === 0) await this.decide(id, draft({ planId: id, version: 1, terms }), context('draft'));
      if (latestPublished(state) === undefined && !state.archived) await this.decide(id, publish({ planId: id, version: 1 }), context('publish'));
    }
  }

  private decide(id: string, decision: Decide<Plan, PlanEvent>, context: CommandContext) {
    return this.events.decide({
      tenant: PLATFORM,
      stream: stream(id),
      aggregate,
      decide: decision,
      context,
      states: (state) =>
        [...state.versions]
          .filter(([, { published }]) => published)
          .map(([version, { terms }]) => ({ topic: stateTopic('plan'), key: `${id}@${version}`, body: { id, version, archived: state.archived, terms } })),
      also: async (sql, { state }) => {
        await this.work.leaveTenant(sql);
        const rows = [...state.versions].map(([version, { terms, published }]) => ({
          id,
          version,
          terms: terms as never,
          status: state.archived ? ('archived' as const) : published ? ('published' as const) : ('draft' as const),
        }));
        await sql.manager.upsert(PlanRow, rows, ['id', 'version']);
      },
    });
  }
}

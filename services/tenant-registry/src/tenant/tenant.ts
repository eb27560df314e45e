import type { KeyMode, PlanRef, Role, TenantEvent, TenantState } from '@weir/contracts';
import { fact, unreachable, type Decide, type MemberId, type ProjectId, type TenantId } from '@weir/kernel';
import { keyModeNotInPlan, memberNotFound, seatsExhausted, tenantNotFound, wrongState } from '../errors';

/**
 * The life of a tenant, from the first event of its own log on:
 *
 *     active ◀──resumed── suspended          active | suspended ──offboarded──▶ offboarded
 *        └────suspended──────▶
 *
 * Which keys it calls with follows the plan: a plan without the current key mode switches it in the same decision.
 */
export type Tenant = { is: 'unknown' } | KnownTenant;

export interface KnownTenant {
  readonly is: 'active' | 'suspended' | 'offboarded';
  readonly slug: string;
  readonly name: string;
  readonly plan: PlanRef;
  readonly keyMode: KeyMode;
  readonly placement: TenantState['placement'];
  readonly trialEndsAt: number | null;
  readonly projects: readonly ProjectId[];
  readonly members: ReadonlyMap<MemberId, Role>;
}

const initial: Tenant = { is: 'unknown' };

function evolve(state: Tenant, event: TenantEvent): Tenant {
  if (event.type === 'tenant.registered') {
    const { slug, name, plan, keyMode, placement, trialEndsAt } = event.data;
    return { is: 'active', slug, name, plan, keyMode, placement, trialEndsAt, projects: [], members: new Map() };
  }
  if (state.is === 'unknown') return state;
  switch (event.type) {
    case 'tenant.renamed':
      return { ...state, name: event.data.name };
    case 'tenant.suspended':
      return { ...state, is: 'suspended' };
    case 'tenant.resumed':
      return { ...state, is: 'active' };
    case 'tenant.offboarded':
      return { ...state, is: 'offboarded' };
    case 'tenant.moved':
      return { ...state, placement: event.data.placement };
    case 'tenant.imported':
      return { ...state, placement: 'schema' };
    case 'tenant.plan-changed':
      return { ...state, plan: event.data.plan, trialEndsAt: event.data.trialEndsAt };
    case 'tenant.key-mode-changed':
      return { ...state, keyMode: event.data.mode };
    case 'project.created':
      return { ...state, projects: [...state.projects, event.data.projectId] };
    case 'member.added':
      return { ...state, members: new Map(state.members).set(event.data.memberId, event.data.role) };
    case 'member.removed':
      return { ...state, members: new Map([...state.members].filter(([id]) => id !== event.data.memberId)) };
    default:
      return unreachable(event);
  }
}

export const tenant = { initial, evolve };

// -- Decisions -----------------------------------------------------------------------------------------------------------------

type Decision = Decide<Tenant, TenantEvent>;

export interface Registration {
  readonly slug: string;
  readonly name: string;
  readonly plan: PlanRef;
  readonly keyMode: KeyMode;
  readonly placement: TenantState['placement'];
  readonly trialEndsAt: number | null;
  readonly defaultProject: ProjectId;
}

export const register =
  ({ defaultProject, ...registration }: Registration): Decision =>
  (state) =>
    state.is === 'unknown'
      ? [fact('tenant.registered', registration), fact('project.created', { projectId: defaultProject, name: 'default' })]
      : [];

export const rename =
  (name: string): Decision =>
  (state) =>
    known(state).name === name ? [] : [fact('tenant.renamed', { name })];

export const suspend: Decision = (state) => {
  const { is } = known(state);
  if (is === 'offboarded') throw wrongState('The tenant has been offboarded.');
  return is === 'suspended' ? [] : [fact('tenant.suspended', {})];
};

export const resume: Decision = (state) => {
  const { is } = known(state);
  if (is === 'offboarded') throw wrongState('The tenant has been offboarded and cannot be resumed.');
  return is === 'active' ? [] : [fact('tenant.resumed', {})];
};

export const offboard: Decision = (state) => (known(state).is === 'offboarded' ? [] : [fact('tenant.offboarded', {})]);

/** Says what has happened already: the data are where it says. */
export const move =
  (moved: { placement: TenantState['placement']; cluster: string | null; epoch: number; position: number; chainHash: string }): Decision =>
  (state) => [fact('tenant.moved', { from: known(state).placement, ...moved })];

export const imported =
  (archive: { position: number; chainHash: string; exportedAt: string }): Decision =>
  () => [fact('tenant.imported', archive)];

export const changeKeyMode =
  (mode: KeyMode, allowed: readonly KeyMode[]): Decision =>
  (state) => {
    if (known(state).keyMode === mode) return [];
    if (!allowed.includes(mode)) throw keyModeNotInPlan(mode, allowed);
    return [fact('tenant.key-mode-changed', { mode, because: 'request' as const })];
  };

/** A plan that does not allow the current key mode switches the tenant to the first it allows, in the same decision. */
export const changePlan =
  (command: { plan: PlanRef; keyModes: readonly KeyMode[]; trialEndsAt: number | null }): Decision =>
  (state) => {
    const { plan, keyMode } = known(state);
    if (plan.id === command.plan.id && plan.version === command.plan.version) return [];
    const changed = fact('tenant.plan-changed', { plan: command.plan, trialEndsAt: command.trialEndsAt });
    const [first] = command.keyModes;
    return first === undefined || command.keyModes.includes(keyMode)
      ? [changed]
      : [changed, fact('tenant.key-mode-changed', { mode: first, because: 'plan' as const })];
  };

export const addMember =
  (command: { memberId: MemberId; role: Role; seats: number | null }): Decision =>
  (state) => {
    const { members } = known(state);
    if (members.has(command.memberId)) return [];
    if (command.seats !== null && members.size >= command.seats) throw seatsExhausted(command.seats);
    return [fact('member.added', { memberId: command.memberId, role: command.role })];
  };

export const removeMember =
  (memberId: MemberId): Decision =>
  (state) => {
    if (!known(state).members.has(memberId)) throw memberNotFound();
    return [fact('member.removed', { memberId })];
  };

// -- What others must know -------------------------------------------------------------------------------------------------------

export function toState(id: TenantId, state: Tenant, version: number, registeredAt: number): TenantState {
  const { is, slug, keyMode, plan, trialEndsAt, placement, projects } = known(state);
  const [defaultProject] = projects;
  if (defaultProject === undefined) throw new Error('a tenant has a project from its first event on');
  return { id, slug, status: is, keyMode, plan, trialEndsAt, defaultProject, placement, version, registeredAt };
}

export function known(state: Tenant): KnownTenant {
  if (state.is === 'unknown') throw tenantNotFound();
  return state;
}

import type { PlanEvent, PlanTerms } from '@weir/contracts';
import { canonicalJson, fact, notFound, unreachable, type Decide } from '@weir/kernel';
import { planVersionExists } from '../errors';

/** A plan is its versions: drafted, then published and unchangeable. Archived, nobody new is put on it. */
export interface Plan {
  readonly versions: ReadonlyMap<number, { terms: PlanTerms; published: boolean }>;
  readonly archived: boolean;
}

const initial: Plan = { versions: new Map(), archived: false };

function evolve(state: Plan, event: PlanEvent): Plan {
  switch (event.type) {
    case 'plan.version-drafted':
      return { ...state, versions: new Map(state.versions).set(event.data.version, { terms: event.data.terms, published: false }) };
    case 'plan.version-published': {
      const version = state.versions.get(event.data.version);
      return version === undefined ? state : { ...state, versions: new Map(state.versions).set(event.data.version, { ...version, published: true }) };
    }
    case 'plan.archived':
      return { ...state, archived: true };
    default:
      return unreachable(event);
  }
}

export const plan = { initial, evolve };

type Decision = Decide<Plan, PlanEvent>;

export const draft =
  (command: { planId: string; version: number; terms: PlanTerms }): Decision =>
  (state) => {
    const before = state.versions.get(command.version);
    if (before?.published === true) throw planVersionExists(command.planId, command.version);
    if (before !== undefined && canonicalJson(before.terms) === canonicalJson(command.terms)) return [];
    return [fact('plan.version-drafted', command)];
  };

export const publish =
  (command: { planId: string; version: number }): Decision =>
  (state) => {
    const version = state.versions.get(command.version);
    if (version === undefined) throw notFound('plan version');
    return version.published ? [] : [fact('plan.version-published', command)];
  };

export const archive =
  (planId: string): Decision =>
  (state) => {
    if (state.versions.size === 0) throw notFound('plan');
    return state.archived ? [] : [fact('plan.archived', { planId })];
  };

/** The version that new tenants get. */
export const latestPublished = (state: Plan): number | undefined =>
  state.archived ? undefined : [...state.versions].filter(([, { published }]) => published).map(([version]) => version).sort((a, b) => b - a)[0];

export const nextVersion = (state: Plan): number => Math.max(0, ...state.versions.keys()) + 1;

import { staleState, type Access, type StateReader, type StateTable } from '@weir/access';
import {
  budgetState,
  keyCeilingState,
  limitPolicyState,
  planState,
  quotaState,
  upstreamKeyState,
  type BudgetState,
  type KeyCeilingState,
  type LimitPolicyState,
  type PlanRef,
  type PlanState,
  type QuotaState,
  type TenantState,
  type UpstreamKeyState,
} from '@weir/contracts';
import type { TenantId } from '@weir/kernel';
import { tiklive } from '@weir/upstream-catalog';

/** What the fetcher knows of the other services' domains, in memory. */
export interface Tables {
  readonly quotas: StateTable<QuotaState>;
  readonly budgets: StateTable<BudgetState>;
  readonly policies: StateTable<LimitPolicyState>;
  readonly ceilings: StateTable<KeyCeilingState>;
  /** @throws AppError `stale-state` when its record has not arrived yet */
  tenant(id: TenantId): TenantState;
  /** @throws AppError `stale-state` when its record has not arrived yet */
  plan(ref: PlanRef): PlanState;
  /** Keys of one upstream; the first catalog's where none is named. */
  keysOf(owner: TenantId, upstream?: string): readonly UpstreamKeyState[];
}

export function openTables(states: StateReader, access: Access): Tables {
  const plans = states.table(planState);
  const owned = keysByOwner(states.table(upstreamKeyState));
  return {
    quotas: states.table(quotaState),
    budgets: states.table(budgetState),
    policies: states.table(limitPolicyState),
    ceilings: states.table(keyCeilingState),
    tenant: (id) => access.tenants.get(id) ?? onItsWay('tenant'),
    plan: ({ id, version }) => plans.get(`${id}@${version}`) ?? onItsWay('plan'),
    keysOf: (owner, upstream = tiklive.id) => owned.get(`${owner}/${upstream}`) ?? NO_KEYS,
  };
}

const NO_KEYS: readonly UpstreamKeyState[] = [];

/** Kept as the records come, so that no call looks through all keys for its own. */
function keysByOwner(table: StateTable<UpstreamKeyState>): ReadonlyMap<string, readonly UpstreamKeyState[]> {
  const owned = new Map<string, readonly UpstreamKeyState[]>();
  table.onChange((_, key, before) => {
    const changed = key ?? before;
    if (changed === undefined) return;
    const name = `${changed.owner}/${changed.upstream ?? tiklive.id}`;
    const others = (owned.get(name) ?? NO_KEYS).filter(({ id }) => id !== changed.id);
    const now = key === undefined ? others : [...others, key];
    if (now.length === 0) owned.delete(name);
    else owned.set(name, now);
  });
  return owned;
}

/** The token's record was here: what it names follows on another topic. */
function onItsWay(what: string): never {
  throw staleState(`The ${what}'s record is not known here yet.`);
}

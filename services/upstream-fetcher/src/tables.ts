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
  keysOf(owner: TenantId): readonly UpstreamKeyState[];
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
    keysOf: (owner) => owned.get(owner) ?? NO_KEYS,
  };
}

const NO_KEYS: readonly UpstreamKeyState[] = [];

/** Kept as the records come, so that no call looks through all keys for its own. */
function keysByOwner(table: StateTable<UpstreamKeyState>): ReadonlyMap<TenantId, readonly UpstreamKeyState[]> {
  const owned = new Map<TenantId, readonly UpstreamKeyState[]>();
  table.onChange((_, key, before) => {
    const owner = (key ?? before)?.owner;
    if (owner === undefined) return;
    const others = (owned.get(owner) ?? NO_KEYS).filter(({ id }) => id !== (key ?? before)?.id);
    const now = key === undefined ? others : [...others, key];
    if (now.length === 0) owned.delete(owner);
    else owned.set(owner, now);
  });
  return owned;
}

/** The token's record was here: what it names follows on another topic. */
function onItsWay(what: string): never {
  throw staleState(`The ${what}'s record is not known here yet.`);
}

import type { LimitName, LimitOverride, LimitPolicyEvent } from '@weir/contracts';
import { fact, unreachable, type Aggregate, type Decide } from '@weir/kernel';
import { expiredAlready, rateOfNoBucket } from '../errors';

/** The limits of one tenant that are other than its plan says. An override ends by itself at its expiry: nothing has to happen then. */
export type LimitPolicy = ReadonlyMap<LimitName, LimitOverride>;

function evolve(state: LimitPolicy, event: LimitPolicyEvent): LimitPolicy {
  switch (event.type) {
    case 'limit-policy.override-set':
      return new Map(state).set(event.data.name, event.data);
    case 'limit-policy.override-removed':
      return new Map([...state].filter(([name]) => name !== event.data.name));
    default:
      return unreachable(event);
  }
}

export const limitPolicy: Aggregate<LimitPolicy, LimitPolicyEvent> = { initial: new Map(), evolve };

type Decision = Decide<LimitPolicy, LimitPolicyEvent>;

/** @throws AppError `invalid-request` for an expiry that has passed, or a rate for what is no bucket */
export const setOverride =
  (override: LimitOverride, now: number): Decision =>
  (state) => {
    if (override.expiresAt !== null && override.expiresAt <= now) throw expiredAlready();
    if (override.refillPerSecond !== null && override.name !== 'tenant-bucket') throw rateOfNoBucket();
    return same(state.get(override.name), override) ? [] : [fact('limit-policy.override-set', override)];
  };

export const removeOverride =
  (name: LimitName): Decision =>
  (state) =>
    state.has(name) ? [fact('limit-policy.override-removed', { name })] : [];

const same = (a: LimitOverride | undefined, b: LimitOverride): boolean =>
  a !== undefined && a.limit === b.limit && a.refillPerSecond === b.refillPerSecond && a.expiresAt === b.expiresAt;

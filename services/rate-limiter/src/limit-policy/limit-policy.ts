import type { LimitOverride, LimitPolicyEvent } from '@weir/contracts';
import { fact, unreachable, type Aggregate, type Decide } from '@weir/kernel';
import { expiredAlready, limitMissing } from '../errors';
import type { LimitNames } from './limit-names';

/**
 * The limits of one tenant that are other than its plan says, and those that are tried in the shadow; one of each under a name. An
 * override ends by itself at its expiry: nothing has to happen then.
 */
export type LimitPolicy = ReadonlyMap<string, LimitOverride>;

function evolve(state: LimitPolicy, event: LimitPolicyEvent): LimitPolicy {
  switch (event.type) {
    case 'limit-policy.override-set':
      return new Map(state).set(slot(event.data), event.data);
    case 'limit-policy.override-removed':
      return new Map([...state].filter(([key]) => key !== slot(event.data)));
    default:
      return unreachable(event);
  }
}

export const limitPolicy: Aggregate<LimitPolicy, LimitPolicyEvent> = { initial: new Map(), evolve };

type Decision = Decide<LimitPolicy, LimitPolicyEvent>;

/** @throws AppError `unknown-limit`; `invalid-request` for an expiry that has passed, no limit, or one that what it names cannot have */
export const setOverride =
  (override: LimitOverride, now: number, there: LimitNames): Decision =>
  (state) => {
    if (override.expiresAt !== null && override.expiresAt <= now) throw expiredAlready();
    if (override.limit === null && !override.shadow) throw limitMissing();
    there.assertCovered(override);
    return same(state.get(slot(override)), override) ? [] : [fact('limit-policy.override-set', override)];
  };

/** @param shadow which of the two under that name; undefined: both */
export const removeOverride =
  (name: string, shadow: boolean | undefined): Decision =>
  (state) =>
    [false, true]
      .map((inShadow) => ({ name, shadow: inShadow }))
      .filter((one) => (shadow ?? one.shadow) === one.shadow && state.has(slot(one)))
      .map((one) => fact('limit-policy.override-removed', one));

const slot = ({ name, shadow }: { name: string; shadow: boolean }): string => (shadow ? `${name} in the shadow` : name);

const same = (a: LimitOverride | undefined, b: LimitOverride): boolean =>
  a !== undefined && a.limit === b.limit && a.refillPerSecond === b.refillPerSecond && a.expiresAt === b.expiresAt;

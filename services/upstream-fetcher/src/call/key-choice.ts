import type { KeyMode, UpstreamKeyState } from '@weir/contracts';
import type { AppError } from '@weir/kernel';
import { ownKeyDepleted, ownKeyInvalid, trialEnded, upstreamKeyMissing, upstreamUnavailable } from '../errors';

export type KeyOwner = 'platform' | 'own';

/** Whose keys a call may use, in the order in which they are tried. */
export interface KeyChoice {
  /** Of the first: whose answers may be served from the cache. */
  readonly owner: KeyOwner;
  readonly candidates: readonly Candidate[];
  /** What to answer when there is no candidate. */
  readonly otherwise: () => AppError;
}

export interface Candidate {
  readonly owner: KeyOwner;
  readonly key: UpstreamKeyState;
}

export interface KeyFacts {
  readonly mode: KeyMode;
  /** Of the plan: in hybrid mode, whether the platform's keys stand in for an own key that fails. */
  readonly fallback: boolean;
  readonly trialEndsAt: number | null;
  readonly own: readonly UpstreamKeyState[];
  readonly platform: readonly UpstreamKeyState[];
  readonly now: number;
  /** From 0 to 1: which of the pool comes first. */
  readonly random: () => number;
}

/**
 * `shared`: the platform's keys. `byo`: the own key alone. `hybrid`: the own key once one is active; before that, and where the plan
 * falls back, the platform's. After the trial the platform's keys are not there.
 *
 * @throws AppError `trial-ended`, `upstream-key-missing`
 */
export function chooseKeys(facts: KeyFacts): KeyChoice {
  const { mode, own } = facts;
  if (mode === 'shared') return platformChoice(facts);
  const active = own.filter((key) => key.active !== null);
  if (mode === 'byo') {
    if (active.length === 0) throw upstreamKeyMissing();
    return ownChoice(active, []);
  }
  if (active.length === 0) return platformChoice(facts);
  return ownChoice(active, facts.fallback && !trialOver(facts) ? pool(facts) : []);
}

function platformChoice(facts: KeyFacts): KeyChoice {
  if (trialOver(facts)) throw trialEnded();
  return { owner: 'platform', candidates: pool(facts), otherwise: noPlatformKey };
}

function ownChoice(active: readonly UpstreamKeyState[], fallback: readonly Candidate[]): KeyChoice {
  const usable = active.filter((key) => key.status === 'usable').map((key): Candidate => ({ owner: 'own', key }));
  const candidates = fallback.length === 0 ? usable : [...usable, ...fallback];
  return { owner: candidates[0]?.owner ?? 'own', candidates, otherwise: () => unusableOwn(active) };
}

const trialOver = ({ trialEndsAt, now }: KeyFacts): boolean => trialEndsAt !== null && trialEndsAt <= now;

export const noPlatformKey = (): AppError =>
  upstreamUnavailable("None of the platform's upstream keys can be used now. Try again shortly.");

/** Depleted is told before invalid: it is what the tenant can mend without a new key. */
function unusableOwn(keys: readonly UpstreamKeyState[]): AppError {
  const has = (status: UpstreamKeyState['status']) => keys.some((key) => key.status === status);
  if (has('depleted')) return ownKeyDepleted();
  if (has('invalid')) return ownKeyInvalid();
  return upstreamUnavailable('Your upstream key is quarantined. Ask the operator.');
}

/** Of each list of the platform's keys, which is another one when any of them changes. */
const usablePools = new WeakMap<readonly UpstreamKeyState[], readonly Candidate[]>();

/** The platform's usable keys, shuffled by weight: each comes first as often as its weight says. */
function pool({ platform, random }: KeyFacts): readonly Candidate[] {
  let usable = usablePools.get(platform);
  if (usable === undefined) {
    usable = platform.filter((key) => key.status === 'usable' && key.active !== null).map((key): Candidate => ({ owner: 'platform', key }));
    usablePools.set(platform, usable);
  }
  if (usable.length < 2) return usable;
  // Efraimidis and Spirakis: order by u^(1/w), taken in logarithms
  return usable
    .map((candidate) => ({ candidate, rank: Math.log(random() || Number.MIN_VALUE) / candidate.key.weight }))
    .sort((a, b) => b.rank - a.rank)
    .map(({ candidate }) => candidate);
}

import type { KeyCeilingEvent, KeyCeilingState, UpstreamSignal } from '@weir/contracts';
import { fact, unreachable, type Aggregate, type Decide, type KeyId, type TenantId } from '@weir/kernel';

/** What a key may give at most, by its operator or the catalog. */
export interface Configured {
  readonly perMinute: number;
  readonly burst: number;
  /** Calls at once; 0 = no limit of its own. */
  readonly concurrency: number;
}

export interface KeyCeiling {
  /** Undefined: no such key, or not any more. */
  readonly configured: Configured | undefined;
  /** The catalog of its upstream; undefined: the first one. */
  readonly upstream: string | undefined;
  /** Calls a minute that are tried since the upstream refused some; undefined: it never did, or that is forgotten. */
  readonly learned: number | undefined;
  /** Calls a minute that the upstream's headers grant. */
  readonly stated: number | undefined;
  readonly loweredAt: number | undefined;
  readonly raisedAt: number | undefined;
  readonly pausedUntil: number | undefined;
  /** ms; what was said before that says nothing new. */
  readonly statedAt: number;
}

const initial: KeyCeiling = {
  configured: undefined,
  upstream: undefined,
  learned: undefined,
  stated: undefined,
  loweredAt: undefined,
  raisedAt: undefined,
  pausedUntil: undefined,
  statedAt: 0,
};

function evolve(state: KeyCeiling, event: KeyCeilingEvent): KeyCeiling {
  switch (event.type) {
    case 'key-ceiling.configured': {
      const { perMinute, burst, concurrency, upstream } = event.data;
      return { ...state, configured: { perMinute, burst, concurrency }, upstream };
    }
    case 'key-ceiling.lowered': {
      const { perMinute, at, retryAfterMs } = event.data;
      return { ...state, learned: perMinute, loweredAt: at, pausedUntil: at + (retryAfterMs ?? 0) };
    }
    case 'key-ceiling.stated':
      return { ...state, stated: event.data.perMinute, statedAt: event.data.at };
    case 'key-ceiling.raised': {
      const { perMinute, at } = event.data;
      // back at the top: nothing is left of what was learned
      return { ...state, learned: perMinute < (state.configured?.perMinute ?? 0) ? perMinute : undefined, raisedAt: at };
    }
    case 'key-ceiling.dropped':
      return initial;
    default:
      return unreachable(event);
  }
}

export const keyCeiling: Aggregate<KeyCeiling, KeyCeilingEvent> = { initial, evolve };

type Decision = Decide<KeyCeiling, KeyCeilingEvent>;

/** Refusals within so long of a lowering are of the same crowd: the calls that were under way. */
const ONE_CROWD_MS = 10_000;
/** Multiplicative decrease to this share, additive increase by that share of what is configured in each quiet minute (AIMD; Chiu and Jain 1989). */
const DECREASE = 0.7;
const INCREASE = 0.05;
const QUIET_MS = 60_000;
/** It never learns to give nothing: then it could not find out that there is more. */
const LEAST = 0.05;

/** A key was heard of, again perhaps. @param sold what its upstream sells every key: that holds until somebody configures another */
export const appear =
  (keyId: KeyId, upstream: string | undefined, sold: Configured): Decision =>
  ({ configured }) =>
    configured === undefined ? [fact('key-ceiling.configured', { keyId, ...sold, ...named(upstream) })] : [];

/** @param of what it may give at most, by its upstream where that has the say */
export const configure =
  (keyId: KeyId, of: (upstream: string | undefined) => Configured): Decision =>
  ({ configured: now, upstream }) => {
    const configured = of(upstream);
    if (now !== undefined && sameRate(now, configured)) return [];
    return [fact('key-ceiling.configured', { keyId, ...configured, ...named(upstream) })];
  };

export const drop =
  (keyId: KeyId): Decision =>
  ({ configured }) =>
    configured === undefined ? [] : [fact('key-ceiling.dropped', { keyId })];

/** What a 429 or a header teaches; the same signal again, or a late one, teaches nothing. */
export const learn =
  ({ keyId, eventId: signalId, signal, retryAfterMs, statedPerMinute, at }: UpstreamSignal): Decision =>
  (state) => {
    if (state.configured === undefined) return [];
    const events: KeyCeilingEvent[] = [];
    if (statedPerMinute != null && statedPerMinute !== state.stated && at > state.statedAt) {
      events.push(fact('key-ceiling.stated', { keyId, perMinute: statedPerMinute, signalId, at }));
    }
    if (signal !== 'rate-limited' || at <= (state.loweredAt ?? -Infinity) + ONE_CROWD_MS) return events;
    const perMinute = Math.max(round(ceilingOf(state) * DECREASE), round(state.configured.perMinute * LEAST));
    return [...events, fact('key-ceiling.lowered', { keyId, perMinute, retryAfterMs, signalId, at })];
  };

/** One step up after a minute without a refusal, until nothing is left of what was learned. */
export const raise =
  (keyId: KeyId, now: number): Decision =>
  (state) => {
    if (!isLearned(state) || now < Math.max(state.loweredAt ?? 0, state.raisedAt ?? 0) + QUIET_MS) return [];
    const { perMinute } = state.configured;
    return [fact('key-ceiling.raised', { keyId, perMinute: Math.min(round(state.learned + perMinute * INCREASE), perMinute), at: now })];
  };

/** Calls a minute now: never more than configured or stated. */
export const ceilingOf = ({ configured, learned, stated }: KeyCeiling): number =>
  Math.min(configured?.perMinute ?? 0, stated ?? Infinity, learned ?? Infinity);

const isLearned = (state: KeyCeiling): state is KeyCeiling & { configured: Configured; learned: number } =>
  state.configured !== undefined && (state.learned ?? Infinity) < state.configured.perMinute;

/** The burst shrinks with the rate. */
export function toState(keyId: KeyId, owner: TenantId, state: KeyCeiling): KeyCeilingState | null {
  const { configured, loweredAt = null, pausedUntil = null } = state;
  if (configured === undefined) return null;
  const perMinute = ceilingOf(state);
  const burst = Math.max(1, Math.floor((configured.burst * perMinute) / configured.perMinute));
  const { concurrency } = configured;
  return {
    keyId,
    owner,
    perMinute,
    burst,
    concurrency,
    configured: { perMinute: configured.perMinute, burst: configured.burst },
    ...named(state.upstream),
    loweredAt,
    pausedUntil,
  };
}

/** To a thousandth: an event is for people too. */
const round = (perMinute: number): number => Math.max(Math.round(perMinute * 1_000) / 1_000, 0.001);

const named = (upstream: string | undefined) => (upstream === undefined ? {} : { upstream });

const sameRate = (a: Configured, b: Configured): boolean =>
  a.perMinute === b.perMinute && a.burst === b.burst && a.concurrency === b.concurrency;

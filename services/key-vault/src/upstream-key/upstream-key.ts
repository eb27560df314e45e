import type { KeyCheck, Rejection, UpstreamKeyEvent } from '@weir/contracts';
import { fact, unreachable, type Aggregate, type Decide, type KeyId } from '@weir/kernel';
import { keyChanged, keyNotFound } from '../errors';
import { upstreamKeySnapshots } from './upstream-key.snapshot';

/**
 * The life of one upstream key. Versions stand side by side, so that a rotation interrupts no call:
 *
 *     candidate ──accepted──▶ active ──superseded──▶ draining ──deadline──▶ destroyed
 *         ├──refused──▶ rejected                                               ▲
 *         └──────────────────────── offered again, or removed ─────────────────┘
 *
 * At most one version is a candidate and at most one is active. Above the versions stands the key's status, which says whether calls
 * may use it at all. It is `invalid` until a version has been accepted, so that nothing half-made is ever called with. One refusal of
 * an active version is no verdict: upstreams err, and a key that is called invalid stops a customer's traffic.
 */

const CONFIRMING_REFUSALS = 2;

// -- State ---------------------------------------------------------------------------------------------------------------------

export type KeyStatus = 'usable' | 'invalid' | 'depleted' | 'quarantined';
export type Outcome = 'accepted' | Rejection;

export interface Version {
  readonly version: number;
  readonly state: 'candidate' | 'active' | 'draining' | 'destroyed' | 'rejected';
  readonly fingerprint: string;
  readonly last4: string;
  /** ms; of a draining version. */
  readonly drainUntil?: number;
  readonly because?: Rejection;
}

export interface RegisteredKey {
  readonly is: 'registered';
  readonly keyId: KeyId;
  readonly label: string;
  /** The catalog of its upstream; undefined: the first one's. */
  readonly upstream: string | undefined;
  readonly status: KeyStatus;
  /** Among the keys of a pool: how often it comes first. */
  readonly weight: number;
  /** ms; what was said last of when its credits end, until they are more again. */
  readonly forecast: number | undefined;
  /** Oldest first, the destroyed ones too: they are the key's history. */
  readonly versions: readonly Version[];
  readonly scopes: readonly string[];
  readonly lastCheck:
    | { readonly at: number; readonly version: number; readonly outcome: Outcome; readonly checks: readonly KeyCheck[] }
    | undefined;
  /** Test calls in a row that the upstream refused the active version. */
  readonly refusals: number;
}

export type UpstreamKey = { readonly is: 'unknown' } | { readonly is: 'removed' } | RegisteredKey;

export const initial: UpstreamKey = { is: 'unknown' };

export function evolve(state: UpstreamKey, event: UpstreamKeyEvent): UpstreamKey {
  if (event.type === 'upstream-key.registered') {
    const { keyId, label, upstream } = event.data;
    return { is: 'registered', keyId, label, upstream, status: 'invalid', weight: 1, forecast: undefined, versions: [], scopes: [], lastCheck: undefined, refusals: 0 };
  }
  if (state.is !== 'registered') return state;

  switch (event.type) {
    case 'upstream-key.version-offered': {
      const { version, fingerprint, last4 } = event.data;
      return { ...state, versions: [...state.versions, { version, state: 'candidate', fingerprint, last4 }] };
    }
    case 'upstream-key.version-activated':
      return { ...withVersion(state, event.data.version, { state: 'active' }), scopes: event.data.scopes, refusals: 0 };
    case 'upstream-key.version-rejected':
      return withVersion(state, event.data.version, { state: 'rejected', because: event.data.because });
    case 'upstream-key.version-superseded':
      return withVersion(state, event.data.version, { state: 'draining', drainUntil: event.data.drainUntil });
    case 'upstream-key.version-destroyed':
      return withVersion(state, event.data.version, { state: 'destroyed' });
    case 'upstream-key.checked': {
      const { version, at, outcome, checks } = event.data;
      return { ...state, lastCheck: { at, version, outcome, checks }, refusals: refusalsAfter(state, version, outcome) };
    }
    case 'upstream-key.status-changed':
      return { ...state, status: event.data.status };
    case 'upstream-key.weight-set':
      return { ...state, weight: event.data.weight };
    case 'upstream-key.credits-forecast':
      return { ...state, forecast: event.data.endsAt };
    case 'upstream-key.removed':
      return { is: 'removed' };
    default:
      return unreachable(event);
  }
}

/** Only an answer that knows the key ends a row of refusals; silence says nothing. */
function refusalsAfter(key: RegisteredKey, version: number, outcome: Outcome): number {
  if (outcome === 'unauthorized') return activeVersion(key) === version ? key.refusals + 1 : key.refusals;
  return outcome === 'accepted' || outcome === 'out-of-credits' ? 0 : key.refusals;
}

const withVersion = (key: RegisteredKey, version: number, change: Partial<Version>): RegisteredKey => ({
  ...key,
  versions: key.versions.map((v) => (v.version === version ? { ...v, ...change } : v)),
});

// -- Decisions: the command first, then the state; the events that follow, or none when it is done already. ---------------------

type Decision = Decide<UpstreamKey, UpstreamKeyEvent>;

export interface Offer {
  /** The one that the secret was sealed for: its place is part of what is sealed. */
  readonly version: number;
  readonly fingerprint: string;
  readonly last4: string;
}

export const register =
  (command: { keyId: KeyId; owner: 'tenant' | 'platform'; label: string; offer: Offer; weight?: number | undefined; upstream?: string | undefined }): Decision =>
  (state) => {
    if (state.is !== 'unknown') return [];
    const { keyId, owner, label, offer, weight = 1, upstream } = command;
    return [
      fact('upstream-key.registered', { keyId, owner, label, ...(upstream === undefined ? {} : { upstream }) }),
      ...(weight === 1 ? [] : [fact('upstream-key.weight-set', { keyId, weight })]),
      fact('upstream-key.version-offered', { keyId, ...offer }),
    ];
  };

/** A newer offer destroys a candidate that was never judged: the customer pasted again. */
export const offerVersion =
  (offer: Offer): Decision =>
  (state) => {
    const key = registered(state);
    if (offer.version !== nextVersion(key)) throw keyChanged();
    const abandoned = candidate(key);
    return [
      ...(abandoned === undefined ? [] : [fact('upstream-key.version-destroyed', { keyId: key.keyId, version: abandoned })]),
      fact('upstream-key.version-offered', { keyId: key.keyId, ...offer }),
    ];
  };

/** What a test call of one version said. */
export interface Verdict {
  readonly version: number;
  readonly outcome: Outcome;
  readonly scopes: readonly string[];
  readonly checks: readonly KeyCheck[];
  /** ms */
  readonly at: number;
}

/**
 * A verdict on the candidate makes it active or rejected; one on the active version changes the key's status. One that arrives late,
 * for a version that is neither any more, changes nothing.
 */
export const judge =
  (verdict: Verdict, drainMs: number): Decision =>
  (state) => {
    const key = registered(state);
    if (verdict.version === candidate(key)) return [checked(key, verdict), ...judgeCandidate(key, verdict, drainMs)];
    if (verdict.version === activeVersion(key)) return [checked(key, verdict), ...judgeActive(key, verdict)];
    return [];
  };

function judgeCandidate(key: RegisteredKey, { version, outcome, scopes, at }: Verdict, drainMs: number): UpstreamKeyEvent[] {
  const { keyId } = key;
  const before = activeVersion(key);
  if (outcome !== 'accepted') {
    const rejected = fact('upstream-key.version-rejected', { keyId, version, because: outcome });
    if (before !== undefined) return [rejected];
    return [rejected, ...become(key, outcome === 'out-of-credits' ? 'depleted' : 'invalid', outcome)];
  }
  return [
    fact('upstream-key.version-activated', { keyId, version, scopes: [...scopes] }),
    ...(before === undefined
      ? []
      : [fact('upstream-key.version-superseded', { keyId, version: before, drainUntil: at + drainMs })]),
    ...become(key, 'usable', outcome),
  ];
}

function judgeActive(key: RegisteredKey, { version, outcome }: Verdict): UpstreamKeyEvent[] {
  switch (outcome) {
    case 'accepted':
      return become(key, 'usable', outcome);
    case 'out-of-credits':
      return become(key, 'depleted', outcome);
    case 'unauthorized':
      return refusalsAfter(key, version, outcome) < CONFIRMING_REFUSALS ? [] : become(key, 'invalid', outcome);
    case 'rate-limited':
    case 'unreachable':
      return [];
  }
}

/** A caller met the end of the key's credits. */
export const deplete =
  (command: { version: number }): Decision =>
  (state) => {
    const key = registered(state);
    return key.status === 'usable' && activeVersion(key) === command.version ? become(key, 'depleted', 'out-of-credits') : [];
  };

/** A caller was served with a key that had no credits left: somebody has bought more. */
export const replenish =
  (command: { version: number }): Decision =>
  (state) => {
    const key = registered(state);
    return key.status === 'depleted' && activeVersion(key) === command.version ? become(key, 'usable', 'accepted') : [];
  };

export const setWeight =
  (weight: number): Decision =>
  (state) => {
    const key = registered(state);
    return key.weight === weight ? [] : [fact('upstream-key.weight-set', { keyId: key.keyId, weight })];
  };

const FORECAST_MOVED_MS = 86_400_000;

/** Told when the end comes near, and again when it has moved nearer by a day or was far meanwhile. */
export const forecastCredits =
  (command: { credits: number; endsAt: number }): Decision =>
  (state) => {
    const key = registered(state);
    const told = key.forecast !== undefined && command.endsAt > key.forecast - FORECAST_MOVED_MS && command.endsAt < key.forecast + 30 * FORECAST_MOVED_MS;
    return told ? [] : [fact('upstream-key.credits-forecast', { keyId: key.keyId, ...command })];
  };

export const quarantine =
  (command: { because: string }): Decision =>
  (state) =>
    become(registered(state), 'quarantined', command.because);

export const reinstate =
  (command: { because: string }): Decision =>
  (state) => {
    const key = registered(state);
    if (key.status !== 'quarantined') return [];
    const status: KeyStatus = activeVersion(key) === undefined ? 'invalid' : 'usable';
    return [fact('upstream-key.status-changed', { keyId: key.keyId, status, because: command.because })];
  };

export const destroyDrained =
  (command: { at: number }): Decision =>
  (state) =>
    state.is !== 'registered'
      ? []
      : state.versions
          .filter((v) => v.state === 'draining' && (v.drainUntil ?? 0) <= command.at)
          .map(({ version }) => fact('upstream-key.version-destroyed', { keyId: state.keyId, version }));

export const remove = (): Decision => (state) => {
  if (state.is === 'removed') return [];
  const { keyId, versions } = registered(state);
  return [
    ...versions
      .filter((v) => v.state !== 'destroyed')
      .map(({ version }) => fact('upstream-key.version-destroyed', { keyId, version })),
    fact('upstream-key.removed', { keyId }),
  ];
};

const checked = ({ keyId }: RegisteredKey, { version, at, outcome, checks }: Verdict): UpstreamKeyEvent =>
  fact('upstream-key.checked', { keyId, version, at, outcome, checks: [...checks] });

/** Only an operator's reinstating ends a quarantine. */
const become = ({ keyId, status: now }: RegisteredKey, status: KeyStatus, because: string): UpstreamKeyEvent[] =>
  now === status || now === 'quarantined' ? [] : [fact('upstream-key.status-changed', { keyId, status, because })];

// -- Questions -------------------------------------------------------------------------------------------------------------------

export function registered(state: UpstreamKey): RegisteredKey {
  if (state.is !== 'registered') throw keyNotFound();
  return state;
}

const versionThatIs = (key: RegisteredKey, state: Version['state']): number | undefined =>
  key.versions.find((v) => v.state === state)?.version;

export const activeVersion = (key: RegisteredKey): number | undefined => versionThatIs(key, 'active');
export const candidate = (key: RegisteredKey): number | undefined => versionThatIs(key, 'candidate');
export const nextVersion = (key: RegisteredKey): number => (key.versions.at(-1)?.version ?? 0) + 1;

/** The newest version, where it was refused for a reason that may pass: its secret is worth another try, as a new version. */
export function worthAnotherTry(key: RegisteredKey): number | undefined {
  const newest = key.versions.at(-1);
  return newest?.state === 'rejected' && newest.because !== 'unauthorized' ? newest.version : undefined;
}

/** The version that is to be tried again without anyone asking: a candidate that was left without a verdict, an active one without credits. */
export function waitsForCheck(state: UpstreamKey): number | undefined {
  if (state.is !== 'registered') return undefined;
  return candidate(state) ?? (state.status === 'depleted' ? activeVersion(state) : undefined);
}

/** The version of a key that works: looked at now and then all the same. */
export function worthLookingAt(state: UpstreamKey): number | undefined {
  return state.is === 'registered' && state.status === 'usable' ? activeVersion(state) : undefined;
}

/** Versions that calls may use: for new ones the active, for those in flight the draining ones too. */
export const callableVersions = (key: RegisteredKey): readonly Version[] =>
  key.versions.filter((v) => v.state === 'active' || v.state === 'draining');

/** Versions whose sealed secret is kept; every other is deleted with the event that says so. */
export function keptVersions(state: UpstreamKey): readonly number[] {
  if (state.is !== 'registered') return [];
  const kept = [...callableVersions(state).map((v) => v.version), candidate(state), worthAnotherTry(state)];
  return kept.filter((version) => version !== undefined);
}

/** When the next version has drained, ms; undefined when none drains. */
export function nextDrain(state: UpstreamKey): number | undefined {
  if (state.is !== 'registered') return undefined;
  const deadlines = state.versions.flatMap((v) => (v.state === 'draining' && v.drainUntil !== undefined ? [v.drainUntil] : []));
  return deadlines.length === 0 ? undefined : Math.min(...deadlines);
}

export const upstreamKey: Aggregate<UpstreamKey, UpstreamKeyEvent> = { initial, evolve, snapshots: upstreamKeySnapshots };

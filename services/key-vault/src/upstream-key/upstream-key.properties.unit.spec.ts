import { EVENTS, type UpstreamKeyEvent } from '@weir/contracts';
import type { Decide } from '@weir/kernel';
import fc from 'fast-check';
import {
  activeVersion,
  callableVersions,
  candidate,
  deplete,
  destroyDrained,
  evolve,
  initial,
  judge,
  keptVersions,
  nextDrain,
  nextVersion,
  offerVersion,
  quarantine,
  register,
  reinstate,
  remove,
  replenish,
  setWeight,
  waitsForCheck,
  worthLookingAt,
  type Outcome,
  type RegisteredKey,
  type UpstreamKey,
} from './upstream-key';

// Whatever happens to a key in whatever order: what people, test calls, fetchers and clocks do to it, late and twice.

const keyId = 'key_1' as const;
const DRAIN_MS = 500;

type Command = (key: UpstreamKey, at: number) => Decide<UpstreamKey, UpstreamKeyEvent>;

const outcome = fc.constantFrom<Outcome>('accepted', 'unauthorized', 'out-of-credits', 'rate-limited', 'unreachable');
const someVersion = fc.integer({ min: 1, max: 6 });
const next = (key: UpstreamKey): number => (key.is === 'registered' ? nextVersion(key) : 1);
const offer = (version: number) => ({ version, fingerprint: `f${version}`, last4: 'a1b2' });

const commands: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Command>((key) => offerVersion(offer(next(key)))) },
  { weight: 6, arbitrary: outcome.map<Command>((said) => (key, at) => judge(verdictOn(key, said, at), DRAIN_MS)) },
  { weight: 3, arbitrary: fc.tuple(someVersion, outcome).map<Command>(([version, said]) => (_, at) => judge({ version, outcome: said, scopes: [], checks: [], at }, DRAIN_MS)) },
  { weight: 2, arbitrary: someVersion.map<Command>((version) => () => deplete({ version })) },
  { weight: 2, arbitrary: someVersion.map<Command>((version) => () => replenish({ version })) },
  { weight: 2, arbitrary: fc.constant<Command>((_, at) => destroyDrained({ at })) },
  { weight: 1, arbitrary: fc.constant<Command>(() => quarantine({ because: 'a drill' })) },
  { weight: 1, arbitrary: fc.constant<Command>(() => reinstate({ because: 'over' })) },
  { weight: 1, arbitrary: fc.double({ min: 0.01, max: 1_000, noNaN: true }).map<Command>((weight) => () => setWeight(weight)) },
);

/** On the version that is being tried: the candidate, or else the active one. */
function verdictOn(key: UpstreamKey, said: Outcome, at: number) {
  const version = key.is === 'registered' ? (candidate(key) ?? activeVersion(key) ?? 1) : 1;
  return { version, outcome: said, scopes: [], checks: [], at };
}

interface Step {
  readonly before: UpstreamKey;
  readonly events: readonly UpstreamKeyEvent[];
  readonly after: UpstreamKey;
  readonly decide: Decide<UpstreamKey, UpstreamKeyEvent>;
}

/** The life of a key under these commands, 100 ms apart; what a decision refuses has not happened. */
function lifeOf(list: readonly Command[]): Step[] {
  const steps: Step[] = [];
  const take = (before: UpstreamKey, decide: Step['decide']): UpstreamKey => {
    let events: readonly UpstreamKeyEvent[] = [];
    try {
      events = decide(before);
    } catch {
      return before;
    }
    const after = events.reduce(evolve, before);
    steps.push({ before, events, after, decide });
    return after;
  };
  let key = take(initial, register({ keyId, owner: 'tenant', label: 'main', offer: offer(1) }));
  list.forEach((command, n) => (key = take(key, command(key, (n + 1) * 100))));
  return steps;
}

const always = (holds: (step: Step) => void): void =>
  fc.assert(
    fc.property(fc.array(commands, { maxLength: 40 }), (list) => lifeOf(list).forEach(holds)),
    { numRuns: 300 },
  );

const live = ({ after }: Step): RegisteredKey => after as RegisteredKey;
const numberThatAre = (key: RegisteredKey, state: string): number => key.versions.filter((version) => version.state === state).length;

describe('a key, whatever happens to it', () => {
  it('has at most one active version and one candidate, and versions that count from 1', () =>
    always((step) => {
      const key = live(step);
      expect(numberThatAre(key, 'active')).toBeLessThanOrEqual(1);
      expect(numberThatAre(key, 'candidate')).toBeLessThanOrEqual(1);
      expect(key.versions.map(({ version }) => version)).toEqual(key.versions.map((_, i) => i + 1));
    }));

  it('V5 that had a version in use goes on having one: no offer, no verdict and no clock takes the active version away without another in its place', () =>
    always(({ before, after }) => {
      if (before.is === 'registered' && activeVersion(before) !== undefined) expect(activeVersion(after as RegisteredKey)).toBeDefined();
    }));

  it('V5 is called with no version that was never accepted, and each that drains has an end', () =>
    always((step) => {
      const key = live(step);
      const accepted = new Set(key.versions.filter(({ state }) => state === 'active' || state === 'draining').map(({ version }) => version));
      expect(callableVersions(key).map(({ version }) => version)).toEqual([...accepted]);
      for (const { state, drainUntil } of key.versions) if (state === 'draining') expect(drainUntil).toBeGreaterThan(0);
      if (numberThatAre(key, 'draining') > 0) expect(nextDrain(key)).toBeDefined();
      else expect(nextDrain(key)).toBeUndefined();
    }));

  it('brings no destroyed version back, keeps the secret of none, and keeps that of every version that is called', () =>
    always(({ before, after }) => {
      const gone = (key: UpstreamKey) => (key.is === 'registered' ? key.versions.filter(({ state }) => state === 'destroyed').map(({ version }) => version) : []);
      expect(gone(after)).toEqual(expect.arrayContaining(gone(before)));
      const kept = keptVersions(after);
      for (const version of gone(after)) expect(kept).not.toContain(version);
      for (const { version } of callableVersions(after as RegisteredKey)) expect(kept).toContain(version);
    }));

  it('is usable only with an active version', () =>
    always((step) => {
      const key = live(step);
      if (key.status === 'usable') expect(activeVersion(key)).toBeDefined();
    }));

  it('F1 becomes invalid only after two refusals of the version in use, or because no version was ever taken', () =>
    always(({ before, events, after }) => {
      if (before.is !== 'registered' || before.status === 'invalid' || before.status === 'quarantined') return;
      if (!events.some((event) => event.type === 'upstream-key.status-changed' && event.data.status === 'invalid')) return;
      if (activeVersion(before) === undefined) return;
      expect(before.refusals).toBeGreaterThanOrEqual(1);
      expect((after as RegisteredKey).refusals).toBeGreaterThanOrEqual(2);
    }));

  it('F3 is depleted and not invalid where its credits ended, and stays in the hands of its active version', () =>
    always(({ before, events, after }) => {
      if (before.is !== 'registered' || activeVersion(before) === undefined) return;
      const ended = events.some((event) => event.type === 'upstream-key.status-changed' && event.data.status === 'depleted');
      if (ended) expect(activeVersion(after as RegisteredKey)).toBeDefined();
    }));

  it('leaves a quarantine by an operator alone', () =>
    always(({ before, after, events }) => {
      if (before.is !== 'registered' || before.status !== 'quarantined') return;
      const reinstated = events.some((event) => event.type === 'upstream-key.status-changed' && event.data.because === 'over');
      expect((after as RegisteredKey).status === 'quarantined').toBe(!reinstated);
    }));

  it('is looked at again by itself while it waits for a verdict or for credits, and while it works', () =>
    always((step) => {
      const key = live(step);
      const looked = waitsForCheck(key) ?? worthLookingAt(key);
      const waits = candidate(key) !== undefined || ((key.status === 'depleted' || key.status === 'usable') && activeVersion(key) !== undefined);
      expect(looked !== undefined).toBe(waits);
    }));

  it('says what its contracts say, and nothing that is not in them', () =>
    always(({ events }) => {
      for (const { type, data } of events) expect(EVENTS.get(type)?.schema.parse(data)).toEqual(data);
    }));

  it('is gone with every version destroyed when it is removed, at whatever time, and a second removal says nothing', () =>
    fc.assert(
      fc.property(fc.array(commands, { maxLength: 40 }), (list) => {
        const { after } = lifeOf(list).at(-1)!;
        const events = remove()(after);
        const destroyed = events.flatMap((event) => (event.type === 'upstream-key.version-destroyed' ? [event.data.version] : []));
        const kept = (after as RegisteredKey).versions.filter(({ state }) => state !== 'destroyed').map(({ version }) => version);
        expect(destroyed).toEqual(kept);
        const end = events.reduce(evolve, after);
        expect(end).toEqual({ is: 'removed' });
        expect(keptVersions(end)).toEqual([]);
        expect(remove()(end)).toEqual([]);
      }),
      { numRuns: 200 },
    ));

  it('does what changes a status once: the same command again adds no status', () =>
    always(({ after, decide, events }) => {
      if (!events.every(({ type }) => type === 'upstream-key.status-changed') || events.length === 0) return;
      expect(decide(after)).toEqual([]);
    }));
});

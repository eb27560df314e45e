import type { UpstreamKeyEvent } from '@weir/contracts';
import { fact } from '@weir/kernel';
import { given } from '@weir/testing';
import {
  callableVersions,
  deplete,
  destroyDrained,
  judge,
  keptVersions,
  nextDrain,
  offerVersion,
  quarantine,
  register,
  reinstate,
  remove,
  replenish,
  upstreamKey,
  waitsForCheck,
  worthAnotherTry,
  type KeyStatus,
  type Outcome,
  type UpstreamKey,
  registered as registeredKey,
} from './upstream-key';

const key = given<UpstreamKey, UpstreamKeyEvent>(upstreamKey);
const keyId = 'key_1' as const;
const offer = (version: number) => ({ version, fingerprint: `f${version}`, last4: 'a1b2' });
const verdict = (version: number, outcome: Outcome, at = 1_000) => ({
  version,
  outcome,
  scopes: outcome === 'accepted' ? ['download'] : [],
  checks: [],
  at,
});
const DRAIN_MS = 500;

const registered = fact('upstream-key.registered', { keyId, owner: 'tenant' as const, label: 'main' });
const offered = (version: number) => fact('upstream-key.version-offered', { keyId, ...offer(version) });
const activated = (version: number) => fact('upstream-key.version-activated', { keyId, version, scopes: ['download'] });
const rejected = (version: number, because: Exclude<Outcome, 'accepted'>) =>
  fact('upstream-key.version-rejected', { keyId, version, because });
const superseded = (version: number, drainUntil: number) =>
  fact('upstream-key.version-superseded', { keyId, version, drainUntil });
const destroyed = (version: number) => fact('upstream-key.version-destroyed', { keyId, version });
const checked = (version: number, outcome: Outcome, at = 1_000) =>
  fact('upstream-key.checked', { keyId, version, at, outcome, checks: [] });
const became = (status: KeyStatus, because: string) => fact('upstream-key.status-changed', { keyId, status, because });
const removed = fact('upstream-key.removed', { keyId });

const live: UpstreamKeyEvent[] = [registered, offered(1), checked(1, 'accepted'), activated(1), became('usable', 'accepted')];
const callable = (state: UpstreamKey) => callableVersions(registeredKey(state)).map(({ version }) => version);
const status = (state: UpstreamKey) => registeredKey(state).status;

describe('handing in a key', () => {
  const command = { keyId, owner: 'tenant' as const, label: 'main', offer: offer(1) };

  it('makes it invalid until a version is accepted', () => {
    key().when(register(command)).then(registered, offered(1));
    key(registered, offered(1)).expect(status).toEqual('invalid');
    key(registered, offered(1)).expect(callable).toEqual([]);
  });

  it('happens once, however often it is asked', () =>
    key(...live)
      .when(register(command))
      .then());

  it('makes the first accepted version usable', () =>
    key(registered, offered(1))
      .when(judge(verdict(1, 'accepted'), DRAIN_MS))
      .then(checked(1, 'accepted'), activated(1), became('usable', 'accepted')));

  it.each([
    ['unauthorized', []],
    ['rate-limited', []],
    ['unreachable', []],
    ['out-of-credits', [became('depleted', 'out-of-credits')]],
  ] as const)('rejects a first version that is %s', (outcome, then) =>
    key(registered, offered(1))
      .when(judge(verdict(1, outcome), DRAIN_MS))
      .then(checked(1, outcome), rejected(1, outcome), ...then),
  );

  it('keeps a rejected secret for another try, unless the upstream does not know it', () => {
    for (const because of ['rate-limited', 'unreachable', 'out-of-credits'] as const) {
      key(registered, offered(1), rejected(1, because)).expect(keptVersions).toEqual([1]);
    }
    key(registered, offered(1), rejected(1, 'unauthorized')).expect(keptVersions).toEqual([]);
    key(registered, offered(1), rejected(1, 'unreachable'), offered(2)).expect(keptVersions).toEqual([2]);
    key(...live)
      .expect((state) => worthAnotherTry(registeredKey(state)))
      .toEqual(undefined);
  });
});

describe('rotation', () => {
  it('does not call with the new version before it is accepted', () =>
    key(...live, offered(2))
      .expect(callable)
      .toEqual([1]));

  it('V5 drains the old version when the new one is accepted', () =>
    key(...live, offered(2))
      .when(judge(verdict(2, 'accepted'), DRAIN_MS))
      .then(checked(2, 'accepted'), activated(2), superseded(1, 1_500)));

  it.each(['unauthorized', 'out-of-credits', 'rate-limited', 'unreachable'] as const)(
    'V5 leaves the active version as it is when the new one is %s',
    (outcome) =>
      key(...live, offered(2))
        .when(judge(verdict(2, outcome), DRAIN_MS))
        .then(checked(2, outcome), rejected(2, outcome)),
  );

  it('lets calls in flight use the draining version beside the new one', () =>
    key(...live, offered(2), activated(2), superseded(1, 1_500))
      .expect(callable)
      .toEqual([1, 2]));

  it('replaces a candidate that was never judged', () =>
    key(...live, offered(2))
      .when(offerVersion(offer(3)))
      .then(destroyed(2), offered(3)));

  it('refuses an offer that was sealed for a place which is taken', () =>
    key(...live, offered(2))
      .when(offerVersion(offer(2)))
      .throws('contended'));

  it('ignores a verdict on a version that is neither candidate nor active any more', () => {
    key(...live, offered(2), destroyed(2), offered(3))
      .when(judge(verdict(2, 'accepted'), DRAIN_MS))
      .then();
    key(...live, offered(2), activated(2), superseded(1, 1_500))
      .when(judge(verdict(1, 'unauthorized'), DRAIN_MS))
      .then();
  });

  it('makes an empty or invalid key usable again with a version that is accepted', () =>
    key(...live, became('depleted', 'out-of-credits'), offered(2))
      .when(judge(verdict(2, 'accepted'), DRAIN_MS))
      .then(checked(2, 'accepted'), activated(2), superseded(1, 1_500), became('usable', 'accepted')));

  it('destroys a drained version at its deadline and not before', () => {
    const draining = [...live, offered(2), activated(2), superseded(1, 1_500)];
    key(...draining)
      .expect(nextDrain)
      .toEqual(1_500);
    key(...draining)
      .when(destroyDrained({ at: 1_499 }))
      .then();
    key(...draining)
      .when(destroyDrained({ at: 1_500 }))
      .then(destroyed(1));
    key(...draining, destroyed(1))
      .expect(nextDrain)
      .toEqual(undefined);
    key(...draining, destroyed(1))
      .expect(keptVersions)
      .toEqual([2]);
  });
});

describe('checking an active version', () => {
  it('F1 says nothing on the first refusal, and invalid on the second in a row', () => {
    key(...live)
      .when(judge(verdict(1, 'unauthorized', 2_000), DRAIN_MS))
      .then(checked(1, 'unauthorized', 2_000));
    key(...live, checked(1, 'unauthorized', 2_000))
      .when(judge(verdict(1, 'unauthorized', 3_000), DRAIN_MS))
      .then(checked(1, 'unauthorized', 3_000), became('invalid', 'unauthorized'));
  });

  it('F1 counts afresh after an answer that knows the key, and not after silence', () => {
    const refusedOnce = [...live, checked(1, 'unauthorized')];
    const again = judge(verdict(1, 'unauthorized'), DRAIN_MS);
    key(...refusedOnce, checked(1, 'accepted'))
      .when(again)
      .then(checked(1, 'unauthorized'));
    key(...refusedOnce, checked(1, 'out-of-credits'))
      .when(again)
      .then(checked(1, 'unauthorized'));
    key(...refusedOnce, checked(1, 'unreachable'))
      .when(again)
      .then(checked(1, 'unauthorized'), became('invalid', 'unauthorized'));
    key(...refusedOnce, checked(1, 'rate-limited'))
      .when(again)
      .then(checked(1, 'unauthorized'), became('invalid', 'unauthorized'));
  });

  it.each(['rate-limited', 'unreachable'] as const)('%s is no verdict on the key', (outcome) =>
    key(...live)
      .when(judge(verdict(1, outcome), DRAIN_MS))
      .then(checked(1, outcome)),
  );

  it('F3 follows the credits: depleted and usable again', () => {
    key(...live)
      .when(judge(verdict(1, 'out-of-credits'), DRAIN_MS))
      .then(checked(1, 'out-of-credits'), became('depleted', 'out-of-credits'));
    key(...live, became('depleted', 'out-of-credits'))
      .when(judge(verdict(1, 'accepted'), DRAIN_MS))
      .then(checked(1, 'accepted'), became('usable', 'accepted'));
  });
});

describe('what is tried without anyone asking', () => {
  it('is a version that was left without a verdict, or an active one without credits', () => {
    key(registered, offered(1)).expect(waitsForCheck).toEqual(1);
    key(...live, offered(2)).expect(waitsForCheck).toEqual(2);
    key(...live, became('depleted', 'out-of-credits')).expect(waitsForCheck).toEqual(1);
  });

  it('is no other', () => {
    key(...live).expect(waitsForCheck).toEqual(undefined);
    key(...live, became('invalid', 'unauthorized')).expect(waitsForCheck).toEqual(undefined);
    key(registered, offered(1), rejected(1, 'out-of-credits'), became('depleted', 'out-of-credits')).expect(waitsForCheck).toEqual(undefined);
    key(...live, destroyed(1), removed).expect(waitsForCheck).toEqual(undefined);
  });
});

describe('what callers met', () => {
  it('depletes a usable key once, and only by its active version', () => {
    key(...live)
      .when(deplete({ version: 1 }))
      .then(became('depleted', 'out-of-credits'));
    key(...live, became('depleted', 'out-of-credits'))
      .when(deplete({ version: 1 }))
      .then();
    key(...live)
      .when(deplete({ version: 2 }))
      .then();
    key(...live, became('invalid', 'unauthorized'))
      .when(deplete({ version: 1 }))
      .then();
  });

  it('replenishes a depleted key alone', () => {
    key(...live, became('depleted', 'out-of-credits'))
      .when(replenish({ version: 1 }))
      .then(became('usable', 'accepted'));
    key(...live)
      .when(replenish({ version: 1 }))
      .then();
    key(...live, became('invalid', 'unauthorized'))
      .when(replenish({ version: 1 }))
      .then();
  });
});

describe('quarantine', () => {
  const quarantined = [...live, became('quarantined', 'leaked')];

  it('is ended by nothing but reinstating', () => {
    key(...live)
      .when(quarantine({ because: 'leaked' }))
      .then(became('quarantined', 'leaked'));
    key(...quarantined)
      .when(judge(verdict(1, 'accepted'), DRAIN_MS))
      .then(checked(1, 'accepted'));
    key(...quarantined, offered(2))
      .when(judge(verdict(2, 'accepted'), DRAIN_MS))
      .then(checked(2, 'accepted'), activated(2), superseded(1, 1_500));
    key(...quarantined)
      .when(deplete({ version: 1 }))
      .then();
    key(...quarantined)
      .when(reinstate({ because: 'checked' }))
      .then(became('usable', 'checked'));
  });

  it('leaves a key without an accepted version invalid', () =>
    key(registered, offered(1), became('quarantined', 'leaked'))
      .when(reinstate({ because: 'checked' }))
      .then(became('invalid', 'checked')));

  it('is not ended for a key that is in none', () =>
    key(...live)
      .when(reinstate({ because: 'x' }))
      .then());
});

describe('a snapshot', () => {
  const past = [...live, offered(2), checked(2, 'unauthorized'), rejected(2, 'unauthorized'), offered(3), checked(3, 'accepted', 2_000), superseded(1, 9_000), activated(3), destroyed(1), checked(3, 'unauthorized', 3_000), became('quarantined', 'leaked'), destroyed(3), removed];
  const fold = (events: readonly UpstreamKeyEvent[], from: UpstreamKey = upstreamKey.initial) => events.reduce(upstreamKey.evolve, from);

  it('at any event, kept and read again, leads to the state that the whole stream leads to', () => {
    for (let at = 0; at <= past.length; at++) {
      const kept = upstreamKey.snapshots?.parse(JSON.parse(JSON.stringify(fold(past.slice(0, at)))));
      for (let to = at; to <= past.length; to++) expect(fold(past.slice(at, to), kept)).toEqual(fold(past.slice(0, to)));
    }
  });

  it('of another shape is not read', () => {
    const state = fold(live);
    for (const other of [{ ...state, status: 'lent' }, { ...state, more: 1 }, { ...state, versions: undefined }, null, 'x'])
      expect(() => upstreamKey.snapshots?.parse(JSON.parse(JSON.stringify(other)))).toThrow();
  });
});

describe('removal', () => {
  it('destroys every version that is left, once', () => {
    key(...live, offered(2), rejected(2, 'unreachable'), offered(3))
      .when(remove())
      .then(destroyed(1), destroyed(2), destroyed(3), removed);
    key(...live, destroyed(1), removed)
      .when(remove())
      .then();
    key(...live, destroyed(1), removed)
      .expect(keptVersions)
      .toEqual([]);
  });

  it('makes the key unknown to every later command', () => {
    for (const decision of [
      offerVersion(offer(2)),
      judge(verdict(1, 'accepted'), DRAIN_MS),
      deplete({ version: 1 }),
      quarantine({ because: 'x' }),
    ]) {
      key(...live, destroyed(1), removed)
        .when(decision)
        .throws('not-found');
      key().when(decision).throws('not-found');
    }
    key(...live, removed)
      .when(destroyDrained({ at: 9_999 }))
      .then();
  });
});

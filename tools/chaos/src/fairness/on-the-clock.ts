import { invariant, type Outcome } from '../scenario';
import type { Member, Tally } from './clients';
import { KEY as CROWDED, fifty, neighbours, type Crowded } from './fifty';
import { jain, longestGap, maxMin } from './figures';
import { onTheModel, type Key, type ModelOutcome } from './on-the-model';

const KEY: Key = { perMinute: 200, burst: 50 };
/** More than anybody could be given. */
const LOUD_PER_SECOND = 333;
/** Between the calls that each of twenty and one that flood would have. */
const FAIR_INTERVAL_MS = (21 / (KEY.perMinute / 60)) * 1_000;

export interface Scale {
  readonly random: () => number;
  /** Of the flood; fewer in tests, where 333 a second take too long. */
  readonly perSecond?: number;
  readonly seconds: number;
}

/** Tenants with one client each, all of whom come within half a second, beside one that floods. */
export async function joining({ random, perSecond = LOUD_PER_SECOND, seconds, tenants }: Scale & { readonly tenants: number }): Promise<Outcome> {
  const members: Member[] = [flood('ten_loud', perSecond), ...many(tenants, (i) => backlogged(`ten_${i}`, 1, 1))];
  const outcome = await onTheModel({ members, seconds, key: KEY, random });
  const idealMs = ((tenants + 1) / (KEY.perMinute / 60)) * 1_000;
  const gaps = outcome.tallies.map(({ times }) => longestGap(times, outcome.beginMs, outcome.endMs));
  const longest = Math.max(...gaps);
  const [loud = 0] = perWeight(outcome, members);
  const fair = ((KEY.perMinute / 60) * (seconds - 1)) / (tenants + 1);
  return {
    invariants: [
      invariant(`${tenants} tenants join at once: no gap of any of them is longer than three times the ideal one`, longest <= 3 * idealMs + 1, { longest, idealMs }),
      // of the full bucket it takes what it can before the others are there
      invariant('the one that floods meanwhile has its share and no more', loud <= 1.05 * fair + KEY.burst / 3 && loud >= 0.8 * fair - 1, { loud, fair }),
      promisesKept(outcome),
      allUsed(outcome),
    ],
    figures: { 'joining: longest gap, s': longest / 1_000, 'joining: ideal gap, s': idealMs / 1_000, "joining: the loud one's gap, s": (gaps[0] ?? 0) / 1_000, 'joining: index': jain(perWeight(outcome, members)) },
  };
}

/** One call each ten seconds beside a flood, alone; and with nineteen others like it, who together ask for three fifths of the key. */
export async function polite({ random, perSecond = LOUD_PER_SECOND, seconds }: Scale): Promise<Outcome> {
  const beside = async (tenants: number) => {
    const members: Member[] = [flood('ten_loud', perSecond), ...many(tenants, (i) => ({ name: `ten_${i}`, weight: 1, behaviour: { kind: 'polite', everyMs: 10_000 } as const }))];
    const { tallies } = await onTheModel({ members, seconds, key: KEY, random });
    const all = tallies.slice(1);
    const sum = (what: (tally: Tally) => number) => all.reduce((total, tally) => total + what(tally), 0);
    return { refused: sum(({ refusedFresh }) => refusedFresh), asked: sum(({ fresh }) => fresh), longestMs: Math.max(...all.flatMap(({ waits }) => waits)) };
  };
  const [one, twenty] = [await beside(1), await beside(20)];
  return {
    invariants: [
      invariant('L10 a tenant below its share is refused no call, whatever another one sends', one.refused === 0 && one.asked > 0, one),
      // more of them at one moment than the reserve has calls for are given slots: docs/adr/fair-slots.md
      invariant('L10 of twenty who ask for three fifths of the key together at most one call in 1,000 is not admitted at once', twenty.refused * 1_000 <= twenty.asked, twenty),
      invariant('L10 and such a call waits for two of its intervals at most', twenty.longestMs <= 2 * FAIR_INTERVAL_MS, twenty),
    ],
    figures: {
      'one polite: calls': one.asked,
      'one polite: refused': one.refused,
      'twenty polite: calls': twenty.asked,
      'twenty polite: refused, with a slot': twenty.refused,
      'twenty polite: longest wait, s': twenty.longestMs / 1_000,
    },
  };
}

/** The fifty of the run in real time, with and without the loud one. */
export async function unheard({ random, seconds }: Scale): Promise<Outcome> {
  const [calm, loud] = [await fiftyFor(seconds, random, false), await fiftyFor(seconds, random, true)];
  return { invariants: neighbours(calm, loud, "on the model's clock"), figures: {} };
}

async function fiftyFor(seconds: number, random: () => number, loud: boolean): Promise<Crowded> {
  const members = fifty(CROWDED, loud);
  return { members, ...(await onTheModel({ members, seconds, key: CROWDED, random, warmSeconds: 10 })) };
}

/** A flood by turns, long or short: resting brings nothing that calling does not. */
export async function onAndOff({ random, perSecond = 100, seconds }: Scale): Promise<Outcome> {
  const most: number[] = [];
  for (const [onMs, offMs] of [
    [2_000, 8_000],
    [500, 1_500],
    [30_000, 30_000],
  ] as const) {
    const members: Member[] = [flood('ten_off', perSecond, { onMs, offMs }), ...many(4, (i) => backlogged(`ten_${i}`, 1, 8))];
    const outcome = await onTheModel({ members, seconds, key: KEY, random, warmSeconds: 60 });
    const fair = ((KEY.perMinute / 60) * (seconds - 60)) / 5;
    most.push((outcome.tallies[0]?.admitted ?? 0) / fair);
  }
  return {
    invariants: [invariant('a tenant that floods by turns gets no more than its share', Math.max(...most) <= 1.05, most)],
    figures: Object.fromEntries(most.map((share, i) => [`on and off ${['2/8', '0.5/1.5', '30/30'][i]} s: × its share`, share])),
  };
}

/** Weights, what calls cost and demands below the share, all at once. */
export async function weighted({ random, seconds }: Scale): Promise<Outcome> {
  const members: Member[] = [
    ...[1, 1, 2, 4].map((weight, i) => backlogged(`ten_w${i}`, weight, 8)),
    ...[2, 5].map((calls) => ({ ...backlogged(`ten_c${calls}`, 1, 8), calls })),
    { name: 'ten_small', weight: 1, behaviour: { kind: 'polite', everyMs: 10_000 } },
  ];
  const outcome = await onTheModel({ members, seconds, key: KEY, random, warmSeconds: 60 });
  const demand = ({ behaviour }: Member) => (behaviour.kind === 'polite' ? 1_000 / behaviour.everyMs : Infinity);
  const due = maxMin(members.map((member) => ({ demand: demand(member), weight: member.weight })), KEY.perMinute / 60);
  const index = jain(outcome.tallies.map(({ admitted }, i) => admitted / (due[i] ?? 1)));
  return {
    invariants: [invariant('each has its weighted max–min share, whatever its calls cost: index at least 0.99', index >= 0.99, index), promisesKept(outcome), allUsed(outcome)],
    figures: { 'weighted: index': index, 'weighted: refusals with a promise': promised(outcome) },
  };
}

/** Alone, a tenant gets everything. */
export async function alone({ random, seconds }: Scale): Promise<Outcome> {
  const outcome = await onTheModel({ members: [backlogged('ten_alone', 1, 8)], seconds, key: KEY, random, warmSeconds: 30 });
  return { invariants: [invariant('L11 alone, a tenant gets all', outcome.used >= 0.99, outcome.used), promisesKept(outcome)], figures: { 'alone: used': outcome.used } };
}

const many = (count: number, member: (i: number) => Member): Member[] => Array.from({ length: count }, (_, i) => member(i));
const backlogged = (name: string, weight: number, clients: number): Member => ({ name, weight, behaviour: { kind: 'backlogged', clients } });
const flood = (name: string, perSecond: number, turns: { onMs?: number; offMs?: number } = {}): Member => ({ name, weight: 1, behaviour: { kind: 'flood', perSecond, ...turns } });

const perWeight = ({ tallies }: ModelOutcome, members: readonly Member[]): number[] => tallies.map(({ admitted }, i) => admitted / (members[i]?.weight ?? 1));

function promisesKept({ tallies }: ModelOutcome) {
  const due = tallies.reduce((sum, tally) => sum + tally.due, 0);
  const kept = tallies.reduce((sum, tally) => sum + tally.kept, 0);
  return invariant('every promise was kept', due === kept && due > 0, { due, kept });
}

const allUsed = ({ used }: ModelOutcome) => invariant('what the key gives was used', used >= 0.98, used);

function promised({ tallies }: ModelOutcome): number {
  const refused = tallies.reduce((sum, tally) => sum + tally.refused, 0);
  return tallies.reduce((sum, tally) => sum + tally.promised, 0) / Math.max(1, refused);
}

import { redisLimiterStore } from '@weir/limiter';
import { sleep } from '@weir/kernel';
import { Redis } from 'ioredis';
import { invariant, type Outcome } from '../scenario';
import { letLoose, type Member, type Tally } from './clients';
import { KEY, fifty, neighbours, ofKind, waitsOf } from './fifty';
import { jain, longestGap, maxMin, quantile } from './figures';
import { asking, type Key } from './on-the-model';
import { realWorld } from './world';

/** As processes would have. */
const CONNECTIONS = 4;
/** Before all of them are there and the bucket's beginning is used up. */
const WARM_MS = 10_000;
export interface Live {
  readonly url: string;
  readonly prefix: string;
  readonly seconds: number;
  readonly random: () => number;
  readonly key?: Key;
  readonly warmMs?: number;
}

/**
 * Fifty tenants on one key in real time: some below their share, some who always want more, and one at a hundred times its share; and before
 * that, for a quarter of the time, the others without it.
 *
 * @param tell a line for each tenant
 */
export async function onRedis({ tell = () => undefined, ...live }: Live & { readonly tell?: (line: string) => void }): Promise<Outcome> {
  const before = await period({ ...live, prefix: `${live.prefix}-before`, seconds: live.seconds / 4 }, false);
  const during = await period(live, true);
  for (const line of eachOne(during)) tell(line);
  const outcome = judge(during);
  return { ...outcome, invariants: [...outcome.invariants, ...neighbours(before, during, 'in real time')] };
}

interface Period {
  readonly members: readonly Member[];
  readonly tallies: readonly Tally[];
  readonly beginMs: number;
  readonly endMs: number;
  /** Of the key. */
  readonly perSecond: number;
}

async function period({ url, prefix, seconds, random, key = KEY, warmMs = WARM_MS }: Live, loud: boolean): Promise<Period> {
  const redises = Array.from({ length: CONNECTIONS }, () => new Redis(url));
  const asks = redises.map((redis, i) => asking(redisLimiterStore(redis, { prefix }), key, `c${i}`));
  const members = fifty(key, loud);
  const world = realWorld();
  let turn = 0;
  const beginMs = world.now() + warmMs;
  const ask: (typeof asks)[number] = (member, ticket) => (asks[turn++ % asks.length] as (typeof asks)[number])(member, ticket);
  const tallies = letLoose({ world, members, ask, random, countFrom: beginMs });
  await sleep(warmMs + seconds * 1_000);
  const endMs = world.now();
  await world.stop();
  await Promise.all(redises.map((redis) => redis.quit()));
  return { members, tallies, beginMs, endMs, perSecond: key.perMinute / 60 };
}

/** What each one had, for whoever wants to see it. */
function* eachOne({ members, tallies, beginMs, endMs, perSecond }: Period): Generator<string> {
  const seconds = (endMs - beginMs) / 1_000;
  yield 'tenant          of the key  p50 ms  p99 ms  longest gap s  promises kept';
  for (const [i, { name }] of members.entries()) {
    const { admitted, waits: own, times, kept, due } = tallies[i] as Tally;
    const cells = [
      `${((100 * admitted) / seconds / perSecond).toFixed(2)} %`.padStart(10),
      quantile(own, 0.5).toFixed(1).padStart(6),
      quantile(own, 0.99).toFixed(1).padStart(6),
      (longestGap(times, beginMs, endMs) / 1_000).toFixed(2).padStart(13),
      `${kept} of ${due}`.padStart(13),
    ];
    yield `${name.padEnd(14)}  ${cells.join('  ')}`;
  }
}

function judge(of: Period): Outcome {
  const { members, tallies } = of;
  const seconds = (of.endMs - of.beginMs) / 1_000;
  const [below, wanting] = [ofKind(of, 'polite'), ofKind(of, 'backlogged')];
  const sum = (all: readonly Tally[], what: (tally: Tally) => number) => all.reduce((total, tally) => total + what(tally), 0);
  // what those below their share asked for, and of the rest an equal part each
  const due = maxMin(
    members.map(({ behaviour, weight }, i) => ({ weight, demand: behaviour.kind === 'polite' ? (tallies[i]?.fresh ?? 0) / seconds : Infinity })),
    of.perSecond,
  );
  const shares = tallies.map(({ admitted }, i) => admitted / seconds / (due[i] ?? 1));
  const index = jain(shares);
  const [kept, promisedDue] = [sum(tallies, (tally) => tally.kept), sum(tallies, (tally) => tally.due)];
  const refusedBelow = sum(below, (tally) => tally.refusedFresh);
  const gaps = (all: readonly Tally[]) => Math.max(...all.map(({ times }) => longestGap(times, of.beginMs, of.endMs)));
  return {
    invariants: [
      invariant('L10 the index of what each had of its max–min share is at least 0.98', index >= 0.98, { index, shares: shares.map((share) => Math.round(share * 100) / 100) }),
      invariant('every promise whose ticket came in time was kept', kept === promisedDue && promisedDue > 0, { kept, promisedDue }),
      invariant('no call of a tenant below its share was refused', refusedBelow === 0 && sum(below, (tally) => tally.fresh) > 0, refusedBelow),
    ],
    figures: {
      'index': index,
      'used of the key': sum(tallies, (tally) => tally.admitted) / seconds / of.perSecond,
      'the loud one: × its share': shares[0] ?? 0,
      'lowest share': Math.min(...shares),
      'highest share': Math.max(...shares),
      'below: p50 wait, ms': quantile(waitsOf(below), 0.5),
      'below: p99 wait, ms': quantile(waitsOf(below), 0.99),
      'below: longest gap, s': gaps(below) / 1_000,
      'wanting: p50 wait, ms': quantile(waitsOf(wanting), 0.5),
      'wanting: p99 wait, ms': quantile(waitsOf(wanting), 0.99),
      'wanting: longest gap, s': gaps(wanting) / 1_000,
      'promises kept': kept,
      'refusals with a promise, without the loud one': sum(wanting, (tally) => tally.promised) / Math.max(1, sum(wanting, (tally) => tally.refused)),
      'refusals with a promise, the loud one': (tallies[0]?.promised ?? 0) / Math.max(1, tallies[0]?.refused ?? 0),
    },
  };
}

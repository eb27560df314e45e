import { redisLimiterStore } from '@weir/limiter';
import { sleep } from '@weir/kernel';
import { Redis } from 'ioredis';
import { invariant, type Outcome } from '../scenario';
import { letLoose, type Member, type Tally } from './clients';
import { jain, longestGap, maxMin, quantile } from './figures';
import { asking, type Key } from './on-the-model';
import { realWorld } from './world';

/** 200 calls a second among 50: four for each. */
const KEY: Key = { perMinute: 12_000, burst: 1_000 };
/** Calls twice a second: half of what it could have. */
const BELOW = 24;
const WANTING = 25;
/** A hundred times what it could have. */
const LOUD_PER_SECOND = 400;
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

/** Fifty tenants on one key in real time: some below their share, some who always want more, and one at a hundred times its share. */
export async function onRedis({ url, prefix, seconds, random, key = KEY, warmMs = WARM_MS }: Live): Promise<Outcome> {
  const redises = Array.from({ length: CONNECTIONS }, () => new Redis(url));
  const asks = redises.map((redis, i) => asking(redisLimiterStore(redis, { prefix }), key, `c${i}`));
  const scale = key.perMinute / KEY.perMinute;
  const members: Member[] = [
    { name: 'ten_loud', weight: 1, behaviour: { kind: 'flood', perSecond: LOUD_PER_SECOND * scale } },
    ...Array.from({ length: BELOW }, (_, i): Member => ({ name: `ten_below_${i}`, weight: 1, behaviour: { kind: 'polite', everyMs: 500 / scale } })),
    ...Array.from({ length: WANTING }, (_, i): Member => ({ name: `ten_wanting_${i}`, weight: 1, behaviour: { kind: 'backlogged', clients: 4 } })),
  ];
  const world = realWorld();
  let turn = 0;
  const beginMs = world.now() + warmMs;
  const ask: (typeof asks)[number] = (member, ticket) => (asks[turn++ % asks.length] as (typeof asks)[number])(member, ticket);
  const tallies = letLoose({ world, members, ask, random, countFrom: beginMs });
  await sleep(warmMs + seconds * 1_000);
  const endMs = world.now();
  await world.stop();
  await Promise.all(redises.map((redis) => redis.quit()));
  return judge(members, tallies, { beginMs, endMs, perSecond: key.perMinute / 60 });
}

function judge(members: readonly Member[], tallies: readonly Tally[], of: { beginMs: number; endMs: number; perSecond: number }): Outcome {
  const seconds = (of.endMs - of.beginMs) / 1_000;
  const below = tallies.filter((_, i) => members[i]?.behaviour.kind === 'polite');
  const wanting = tallies.filter((_, i) => members[i]?.behaviour.kind === 'backlogged');
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
  const waits = (all: readonly Tally[]) => all.flatMap((tally) => tally.waits);
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
      'below: p50 wait, ms': quantile(waits(below), 0.5),
      'below: p99 wait, ms': quantile(waits(below), 0.99),
      'below: longest gap, s': gaps(below) / 1_000,
      'wanting: p50 wait, ms': quantile(waits(wanting), 0.5),
      'wanting: p99 wait, ms': quantile(waits(wanting), 0.99),
      'wanting: longest gap, s': gaps(wanting) / 1_000,
      'promises kept': kept,
      'refusals with a promise, without the loud one': sum(wanting, (tally) => tally.promised) / Math.max(1, sum(wanting, (tally) => tally.refused)),
      'refusals with a promise, the loud one': (tallies[0]?.promised ?? 0) / Math.max(1, tallies[0]?.refused ?? 0),
    },
  };
}

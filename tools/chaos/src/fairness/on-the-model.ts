import { memoryLimiterStore, type LimiterStore } from '@weir/limiter';
import { letLoose, type Ask, type Member, type Tally } from './clients';
import { modelWorld } from './world';

const START = Date.UTC(2026, 10, 24, 12);

export interface ModelRun {
  readonly members: readonly Member[];
  readonly seconds: number;
  readonly key: Key;
  readonly random: () => number;
  /** What happens before is not counted. Default: the first second. */
  readonly warmSeconds?: number;
}

export interface Key {
  readonly perMinute: number;
  readonly burst: number;
}

export interface ModelOutcome {
  readonly tallies: readonly Tally[];
  readonly beginMs: number;
  readonly endMs: number;
  /** Of what the key gives in the counted time, the part that was used; the bucket makes it a little more than 1 at most. */
  readonly used: number;
}

/** Hours of a shared key in seconds: the memory store, on a clock that jumps from call to call. */
export async function onTheModel({ members, seconds, key, random, warmSeconds = 1 }: ModelRun): Promise<ModelOutcome> {
  const world = modelWorld(START);
  const store = memoryLimiterStore({ clock: world.now });
  const beginMs = START + warmSeconds * 1_000;
  const endMs = START + seconds * 1_000;
  const tallies = letLoose({ world, members, ask: asking(store, key), random, countFrom: beginMs });
  await world.run(endMs);
  await store.close();
  const admitted = tallies.reduce((sum, tally) => sum + tally.admitted, 0);
  return { tallies, beginMs, endMs, used: admitted / ((key.perMinute / 60) * (seconds - warmSeconds)) };
}

/**
 * A call of a member, as the fetcher's second step makes it.
 *
 * @param process begins the names of its takes
 */
export function asking(store: LimiterStore, { perMinute, burst }: Key, process = 'c'): Ask {
  const limits = { bucket: { capacity: burst, refillPerSecond: perMinute / 60 }, leaseMs: 1_000 };
  let calls = 0;
  return ({ name, weight, calls: upstreamCalls }, ticket) =>
    store.takeKey({
      keyId: 'key_shared',
      tenant: name,
      project: 'default',
      takeId: `${process}-${++calls}`,
      limits,
      share: { weight, priority: 'interactive' },
      ticket,
      calls: upstreamCalls,
    });
}

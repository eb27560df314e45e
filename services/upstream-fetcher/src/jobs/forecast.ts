/** What one tenant has to fetch, and how fast it may. */
export interface Load {
  /** Loads of one queue are done one after the other, as the jobs of a tenant are. */
  readonly queue: string;
  /** ms since the epoch: from when on. */
  readonly from: number;
  /** Calls to the upstream. */
  readonly calls: number;
  /** Of the shared keys, under contention. */
  readonly weight: number;
  /** Calls a minute at most, by the tenant's own limits. */
  readonly perMinute: number;
  /** Calls that today's quota still has, and that a whole day has. */
  readonly leftToday: number;
  readonly perDay: number;
}

interface Running {
  readonly load: Load;
  readonly queue: { today: number };
  left: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const MOST_STEPS = 20_000;
const ALMOST_NOTHING = 1e-6;
/** While a burst lasts: as fast as anybody may. */
const MOST_PER_MINUTE = 1e6;

/** What the keys do together: so many calls a minute, after so many at once. */
export interface KeysRate {
  readonly perMinute: number;
  readonly burst: number;
}

/**
 * When the first of the loads is done: each step shares the keys' rate by weight, what one cannot use goes to the others, and the step lasts
 * until a load is done, comes, or meets its quota, or the keys' burst or the day (UTC) ends.
 *
 * @returns ms since the epoch; undefined: not before `until`
 */
export function finishOf(loads: readonly [Load, ...Load[]], { perMinute, burst }: KeysRate, now: number, until: number): number | undefined {
  const queues = new Map(loads.map(({ queue, leftToday }) => [queue, { today: Math.max(0, leftToday) }]));
  const all: Running[] = loads.map((load) => ({ load, left: load.calls, queue: queues.get(load.queue) ?? { today: 0 } }));
  const mine = all[0] as Running;
  let at = now;
  let tokens = burst;
  for (let step = 0; mine.left > ALMOST_NOTHING; step++) {
    if (at >= until || step > MOST_STEPS) return undefined;
    const active = headsOf(all.filter(({ load, left }) => load.from <= at && left > ALMOST_NOTHING)).filter(({ queue }) => queue.today > ALMOST_NOTHING);
    const rates = shareOut(active, tokens > ALMOST_NOTHING ? MOST_PER_MINUTE : perMinute);
    const beyond = rates.reduce((sum, rate) => sum + rate, 0) - perMinute;
    const dry = tokens > ALMOST_NOTHING && beyond > ALMOST_NOTHING ? at + (tokens / beyond) * MINUTE_MS : Infinity;
    const midnight = (Math.floor(at / DAY_MS) + 1) * DAY_MS;
    const comes = all.flatMap(({ load }) => (load.from > at ? [load.from] : []));
    const ends = active.map(({ left, queue }, i) => at + (Math.min(left, queue.today) / (rates[i] ?? 0)) * MINUTE_MS);
    const next = Math.min(midnight, dry, ...comes, ...ends);
    for (const [i, running] of active.entries()) {
      const done = ((rates[i] ?? 0) * (next - at)) / MINUTE_MS;
      running.left -= done;
      running.queue.today -= done;
    }
    tokens = next === dry ? 0 : Math.min(burst, Math.max(0, tokens - (beyond * (next - at)) / MINUTE_MS));
    if (next === midnight) for (const running of all) running.queue.today = running.load.perDay;
    at = next;
  }
  return Math.min(at, until) === at ? at : undefined;
}

/** The first of each queue; who comes first in the list, of those that came at one time. */
function headsOf(running: readonly Running[]): Running[] {
  const heads = new Map<string, Running>();
  for (const one of running) {
    const head = heads.get(one.load.queue);
    if (head === undefined || one.load.from < head.load.from) heads.set(one.load.queue, one);
  }
  return [...heads.values()];
}

/** By weight; who wants less than its share gets that, and the rest is shared again (water-filling). In the order of the loads. */
function shareOut(active: readonly Running[], perMinute: number): number[] {
  const order = active.map(({ load }, i) => ({ i, weight: load.weight, cap: load.perMinute })).sort((a, b) => a.cap / a.weight - b.cap / b.weight);
  const rates = new Array<number>(active.length).fill(0);
  let rest = perMinute;
  let weights = order.reduce((sum, { weight }) => sum + weight, 0);
  for (const { i, weight, cap } of order) {
    const rate = Math.min(cap, (rest * weight) / weights);
    rates[i] = rate;
    rest -= rate;
    weights -= weight;
  }
  return rates;
}

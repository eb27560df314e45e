import type { Cluster, Redis } from 'ioredis';
import { runBuckets, soleBucket } from './bucket-batch';
import type { Verdict } from './decided';
import type { Order } from './rules';
import type { Arg } from './scripts';
import { runTakes, type Mode } from './take-batch';

/** In one script: it keeps the server for less than a millisecond, and the next one is being read meanwhile. */
const MOST_OF_BUCKETS = 128;
const MOST = 32;

interface Waiting {
  readonly order: Order;
  readonly mode: Mode;
  readonly settle: (verdict: Verdict) => void;
  readonly reject: (error: unknown) => void;
}

export interface TakeQueue {
  readonly redis: Redis | Cluster;
  readonly base: (slot: string) => string;
  readonly now: () => Arg;
  /** Takes under way at once, above which they go together. */
  readonly alone: number;
}

/**
 * Each take is a script of its own while few are under way; above that those of one tick go in one script, one after the other, and
 * decide exactly as they would have alone. In a cluster only those of one slot go together.
 */
export function takeQueue({ redis, base, now, alone }: TakeQueue): (order: Order, mode: Mode) => Promise<Verdict> {
  let underWay = 0;
  let waiting: Waiting[] = [];

  async function sent(takes: readonly Waiting[], run: () => Promise<readonly (Verdict | undefined)[]>): Promise<void> {
    try {
      const verdicts = await run();
      const again: Waiting[] = [];
      takes.forEach((take, i) => {
        const verdict = verdicts[i];
        if (!verdict) return again.push(take);
        underWay -= 1;
        return take.settle(verdict);
      });
      if (again.length > 0) send(again);
    } catch (error) {
      underWay -= takes.length;
      for (const { reject } of takes) reject(error);
    }
  }

  const send = (takes: readonly Waiting[]) => void sent(takes, () => runTakes(redis, takes, base, now()));
  const sendBuckets = (takes: readonly Waiting[]) =>
    void sent(takes, () => runBuckets(redis, takes.map(({ order }) => order), base, now()));

  function flush(): void {
    const takes = waiting;
    waiting = [];
    const groups = redis.isCluster ? Map.groupBy(takes, ({ order }) => order.slot).values() : [takes];
    for (const group of groups) {
      const of = Map.groupBy(group, ({ order, mode }) => mode === 'take' && soleBucket(order) !== undefined);
      for (const some of portions(of.get(true) ?? [], MOST_OF_BUCKETS)) sendBuckets(some);
      for (const some of portions(of.get(false) ?? [], MOST)) send(some);
    }
  }

  return (order, mode) =>
    new Promise((settle, reject) => {
      underWay += 1;
      const take = { order, mode, settle, reject };
      if (underWay <= alone) return send([take]);
      if (waiting.push(take) === 1) setImmediate(flush);
    });
}

function* portions<T>(all: readonly T[], most: number): Iterable<readonly T[]> {
  for (let i = 0; i < all.length; i += most) yield all.slice(i, i + most);
}

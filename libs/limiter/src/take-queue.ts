import type { Cluster, Redis } from 'ioredis';
import type { Verdict } from './decided';
import type { Order } from './rules';
import type { Arg } from './scripts';
import { runTakes, type Mode } from './take-batch';

/** Under way at once, from which on takes go together. */
const FEW = 16;
/** In one script: it keeps the server for a third of a millisecond, and the next one is being read meanwhile. */
const MOST = 64;

interface Waiting {
  readonly order: Order;
  readonly mode: Mode;
  readonly settle: (verdict: Verdict) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Each take is a script of its own while few are under way; above that those of one tick go in one script, one after the other, and
 * decide exactly as they would have alone. In a cluster only those of one slot go together.
 */
export function takeQueue(
  redis: Redis | Cluster,
  base: (slot: string) => string,
  now: () => Arg,
): (order: Order, mode: Mode) => Promise<Verdict> {
  let underWay = 0;
  let waiting: Waiting[] = [];

  function send(takes: readonly Waiting[]): void {
    runTakes(redis, takes, base, now()).then(
      (verdicts) => {
        underWay -= takes.length;
        takes.forEach(({ settle }, i) => settle(verdicts[i] ?? { is: 'closed' }));
      },
      (error: unknown) => {
        underWay -= takes.length;
        for (const { reject } of takes) reject(error);
      },
    );
  }

  function flush(): void {
    const takes = waiting;
    waiting = [];
    const together = redis.isCluster ? Map.groupBy(takes, ({ order }) => order.slot).values() : [takes];
    for (const group of together) for (let i = 0; i < group.length; i += MOST) send(group.slice(i, i + MOST));
  }

  return (order, mode) =>
    new Promise((settle, reject) => {
      underWay += 1;
      const take = { order, mode, settle, reject };
      if (underWay <= FEW) return send([take]);
      if (waiting.push(take) === 1) setImmediate(flush);
    });
}

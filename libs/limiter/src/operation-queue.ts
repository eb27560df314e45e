import type { Cluster, Redis } from 'ioredis';
import { Answers, type Operation } from './operation';
import { runScript, type Arg, type Script } from './scripts';

interface Waiting {
  readonly operation: Operation<unknown>;
  readonly settle: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export interface OperationQueue {
  readonly redis: Redis | Cluster;
  readonly script: Script;
  readonly base: (slot: string) => string;
  readonly now: () => Arg;
  /** Operations under way at once, above which they go together. */
  readonly alone: number;
  /** In one script: it keeps the server for about a millisecond at most, and the next one is being read meanwhile. */
  readonly most: number;
}

/**
 * Each operation is a script of its own while few are under way; above that those of one tick go in one script, those of a slot one after the
 * other, and have the answers that they would have had alone. In a cluster only those of one slot go together.
 */
export function operationQueue(options: OperationQueue): <T>(operation: Operation<T>) => Promise<T> {
  const { redis, alone, most } = options;
  let underWay = 0;
  let waiting: Waiting[] = [];

  async function send(some: readonly Waiting[]): Promise<void> {
    const bySlot = Map.groupBy(some, ({ operation }) => operation.slot);
    try {
      const answers = await run(options, bySlot);
      for (const ofSlot of bySlot.values()) for (const { operation, settle } of ofSlot) settle(operation.read(answers));
    } catch (error) {
      for (const { reject } of some) reject(error);
    } finally {
      underWay -= some.length;
    }
  }

  function flush(): void {
    const all = waiting;
    waiting = [];
    const groups = redis.isCluster ? Map.groupBy(all, ({ operation }) => operation.slot).values() : [all];
    for (const group of groups) for (let i = 0; i < group.length; i += most) void send(group.slice(i, i + most));
  }

  return <T>(operation: Operation<T>) =>
    new Promise<T>((settle, reject) => {
      underWay += 1;
      const one: Waiting = { operation, settle: settle as (answer: unknown) => void, reject };
      if (underWay <= alone) void send([one]);
      else if (waiting.push(one) === 1) setImmediate(flush);
    });
}

async function run({ redis, script, base, now }: OperationQueue, bySlot: ReadonlyMap<string, readonly Waiting[]>): Promise<Answers> {
  const specs = new Map<string, number>();
  const keys: string[] = [];
  const operations: Arg[] = [];
  for (const [slot, ofSlot] of bySlot) {
    keys.push(base(slot));
    operations.push(ofSlot.length);
    for (const { operation } of ofSlot) {
      let spec = specs.get(operation.spec);
      if (spec === undefined) specs.set(operation.spec, (spec = specs.size + 1));
      operations.push(spec, ...operation.args);
    }
  }
  return new Answers((await runScript(redis, script, keys, [now(), specs.size, ...specs.keys(), ...operations])) as unknown[]);
}

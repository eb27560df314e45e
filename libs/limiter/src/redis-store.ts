import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '@weir/kernel';
import type { Redis } from 'ioredis';
import { decided, type Verdict } from './decided';
import { limiterUnavailable } from './errors';
import type { LimiterStore, TakeRef } from './port';
import { keyOrder, place, settledCredits, standings, tenantOrder, type Order, type Seed, type Use } from './rules';

interface Script {
  readonly text: string;
  readonly sha: string;
}

const script = (file: string): Script => {
  const text = readFileSync(join(__dirname, file), 'utf8');
  return { text, sha: createHash('sha1').update(text).digest('hex') };
};
const TAKE = script('take.lua');
const CLOSE = script('close.lua');

type Arg = string | number;

/**
 * The limiter of many processes: each step is one EVALSHA on keys of one hash slot (Redis 6.2 and later, Valkey). The connection is
 * the caller's; `close` leaves it open.
 *
 * @param options.prefix begins every key.
 * @param options.testClock ms; takes the place of Redis's own time, for tests that own the time.
 */
export function redisLimiterStore(redis: Redis, options: { prefix: string; testClock?: Clock }): LimiterStore {
  const { prefix, testClock } = options;
  const now = (): Arg => (testClock ? Math.round(testClock() * 1000) : '');

  const keys = (slot: string, member: string): Arg[] => [
    `${prefix}:${slot}:buckets`,
    `${prefix}:${slot}:windows`,
    `${prefix}:${slot}:slots`,
    `${prefix}:${slot}:take:${member}`,
  ];

  async function run(what: Script, keysAndArgs: Arg[]): Promise<unknown> {
    try {
      return await redis.evalsha(what.sha, 4, ...keysAndArgs).catch((error: unknown) => {
        // a server that was restarted or failed over has forgotten its scripts; EVAL runs it and loads it again
        if (String((error as Error).message).startsWith('NOSCRIPT')) return redis.eval(what.text, 4, ...keysAndArgs);
        throw error;
      });
    } catch (error) {
      throw limiterUnavailable(error);
    }
  }

  async function step(mode: 'take' | 'look', order: Order): Promise<Verdict> {
    const { slot, member, cost, rememberMs, leaseMs, seeds } = order;
    const rules = order.rules.flatMap((rule): Arg[] => {
      if (rule.kind === 'bucket') return ['bucket', rule.field, rule.capacity, rule.everyNs];
      return [rule.kind, rule.kind === 'window' ? rule.period : '', rule.limit, ''];
    });
    const args = [now(), mode, member, cost, rememberMs, leaseMs, ...seedArgs(seeds.day), ...seedArgs(seeds.month), ...rules];
    return verdict(order, String(await run(TAKE, [...keys(slot, member), ...args])));
  }

  async function end(ref: TakeRef, cost: Arg): Promise<void> {
    const { slot, member } = place(ref);
    await run(CLOSE, [...keys(slot, member), now(), member, cost]);
  }

  async function inspect(order: Order) {
    const looked = await step('look', order);
    return looked.is === 'closed' ? [] : standings(order.rules, looked.uses);
  }

  return {
    takeTenant: async (take) => {
      const order = tenantOrder(take);
      return decided(order, await step('take', order));
    },
    takeKey: async (take) => {
      const order = keyOrder(take);
      return decided(order, await step('take', order));
    },
    giveBack: async (ref) => end(ref, ''),
    keep: async (ref) => end(ref, ''),
    drop: async () => {},
    settle: async (ref, credits) => end(ref, settledCredits(credits)),
    inspectTenant: async (of) => inspect(tenantOrder({ ...of, takeId: '-', cost: 0 })),
    inspectKey: async (of) => inspect(keyOrder({ ...of, tenant: '-', project: '-', takeId: '-' })),
    close: async () => {},
  };
}

const seedArgs = (seed: Seed): Arg[] => (seed ? [seed.period, seed.count] : ['', '']);

/** Reads take.lua's answer: verdict, microseconds to wait, then per rule its use and reset. */
function verdict(order: Order, answer: string): Verdict {
  const [code = 0, waitMicros = 0, ...numbers] = answer.split(',').map(Number);
  const uses = order.rules.map((_, i): Use => ({ used: numbers[2 * i] ?? 0, resetMicros: numbers[2 * i + 1] ?? 0 }));
  if (code === -2) return { is: 'closed' };
  if (code === -1) return { is: 'unknown-ledger', uses };
  const by = order.rules[code - 1];
  return by ? { is: 'refused', by, waitMicros: waitMicros < 0 ? null : waitMicros, uses } : { is: 'admitted', uses };
}

import type { Redis } from 'ioredis';
import type { Verdict } from './decided';
import type { Order, Rule, Seed, Use } from './rules';
import { runScript, TAKE, type Arg } from './scripts';

export type Mode = 'take' | 'look';

/** Arguments of take.lua for any number of orders; equal specs are sent once. */
export function takeArgs(orders: readonly { readonly order: Order; readonly mode: Mode }[]): Arg[] {
  const specs = new Map<string, number>();
  const takes: Arg[] = [];
  for (const { order, mode } of orders) {
    const spec = specOf(order, mode);
    let number = specs.get(spec);
    if (number === undefined) specs.set(spec, (number = specs.size + 1));
    takes.push(number, order.member, order.cost, order.ticket ?? '');
    if (order.rules.some(({ kind }) => kind === 'window')) takes.push(...seedArgs(order.seeds.day), ...seedArgs(order.seeds.month));
  }
  return [specs.size, ...specs.keys(), ...takes];
}

export async function runTakes(
  redis: Redis,
  orders: readonly { readonly order: Order; readonly mode: Mode }[],
  base: (slot: string) => string,
  now: Arg,
): Promise<Verdict[]> {
  const keys = orders.map(({ order }) => base(order.slot));
  const answers = (await runScript(redis, TAKE, keys, [now, ...takeArgs(orders)])).split(';');
  return orders.map(({ order }, i) => verdict(order, answers[i] ?? ''));
}

function specOf({ leaseMs, rememberMs, calls, rules }: Order, mode: Mode): string {
  return `${mode} ${leaseMs} ${rememberMs} ${calls}${rules.map(ruleWords).join('')}`;
}

function ruleWords(rule: Rule): string {
  const shadow = rule.shadow ? 1 : 0;
  switch (rule.kind) {
    case 'bucket':
      return ` bucket ${rule.field} ${rule.capacity} ${rule.everyNs} ${shadow}`;
    case 'window':
      return ` window ${rule.period} ${rule.limit} - ${shadow}`;
    case 'slots':
      return ` slots - ${rule.limit} - ${shadow}`;
  }
}

const seedArgs = (seed: Seed): Arg[] => (seed ? [seed.period, seed.count] : ['', '']);

/** Reads take.lua's answer: verdict, microseconds to wait, then per rule whether its shadow fell, its use and reset. */
function verdict(order: Order, answer: string): Verdict {
  const [code = 0, waitMicros = 0, ...numbers] = answer.split(',').map(Number);
  const uses = order.rules.map((_, i): Use => ({ used: numbers[3 * i + 1] ?? 0, resetMicros: numbers[3 * i + 2] ?? 0 }));
  if (code === -2) return { is: 'closed' };
  if (code === -1) return { is: 'unknown-ledger', uses };
  if (code === -3) return { is: 'paused', waitMicros, uses };
  const shadowed = order.rules.filter((_, i) => numbers[3 * i] === 1);
  const by = order.rules[code - 1];
  return by
    ? { is: 'refused', by, waitMicros: waitMicros < 0 ? null : waitMicros, uses, shadowed }
    : { is: 'admitted', uses, shadowed };
}

import type { Cluster, Redis } from 'ioredis';
import type { Verdict } from './decided';
import type { Order, Rule, Seed, Use } from './rules';
import { runScript, TAKE, type Arg } from './scripts';

export type Mode = 'take' | 'look';

/** The orders, carried out one after the other by one script. @throws AppError `limiter-unavailable` */
export async function runTakes(
  redis: Redis | Cluster,
  orders: readonly { readonly order: Order; readonly mode: Mode }[],
  base: (slot: string) => string,
  now: Arg,
): Promise<Verdict[]> {
  const keys = orders.map(({ order }) => base(order.slot));
  const answers = (await runScript(redis, TAKE, keys, [now, ...takeArgs(orders)])).split(',').map(Number);
  let next = 0;
  return orders.map(({ order }) => {
    const from = next;
    next += 2 + 3 * order.rules.length;
    return verdict(order, answers.slice(from, next));
  });
}

/** Arguments of take.lua; equal specs are sent once. */
function takeArgs(orders: readonly { readonly order: Order; readonly mode: Mode }[]): Arg[] {
  const specs = new Map<string, number>();
  const takes: Arg[] = [];
  for (const { order, mode } of orders) {
    const { words, windows } = wordsOf(order.rules);
    const spec = `${mode} ${order.leaseMs} ${order.rememberMs} ${order.calls}${words}`;
    let number = specs.get(spec);
    if (number === undefined) specs.set(spec, (number = specs.size + 1));
    takes.push(number, order.member, order.cost, order.ticket ?? '');
    if (windows) takes.push(...seedArgs(order.seeds.day), ...seedArgs(order.seeds.month));
  }
  return [specs.size, ...specs.keys(), ...takes];
}

interface RuleWords {
  readonly words: string;
  readonly windows: boolean;
}
/** Of rules that were sent before: they change when a plan does. */
const sent = new WeakMap<readonly Rule[], RuleWords>();

function wordsOf(rules: readonly Rule[]): RuleWords {
  let of = sent.get(rules);
  if (!of) sent.set(rules, (of = { words: rules.map(ruleWords).join(''), windows: rules.some(({ kind }) => kind === 'window') }));
  return of;
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

/** Reads take.lua's answer: verdict, microseconds to wait, then per rule whether its shadow fell, its use (a bucket's debt) and reset. */
function verdict(order: Order, [code = 0, waitMicros = 0, ...numbers]: readonly number[]): Verdict {
  const uses = order.rules.map((rule, i): Use => {
    const [used = 0, resetMicros = 0] = [numbers[3 * i + 1], numbers[3 * i + 2]];
    return rule.kind === 'bucket' ? { used: Math.ceil(used / rule.everyNs), resetMicros: Math.ceil(used / 1000) } : { used, resetMicros };
  });
  if (code === -2) return { is: 'closed' };
  if (code === -1) return { is: 'unknown-ledger', uses };
  if (code === -3) return { is: 'paused', waitMicros, uses };
  const shadowed = order.rules.filter((_, i) => numbers[3 * i] === 1);
  const by = order.rules[code - 1];
  return by
    ? { is: 'refused', by, waitMicros: waitMicros < 0 ? null : waitMicros, uses, shadowed }
    : { is: 'admitted', uses, shadowed };
}

import type { Cluster, Redis } from 'ioredis';
import type { Verdict } from './decided';
import { waitForBucket } from './memory-slot';
import type { BucketRule, Order } from './rules';
import { runScript, TAKE_BUCKETS, type Arg } from './scripts';

/** The one bucket that an order meets; undefined when there is more to decide. */
export function soleBucket({ rules, ticket }: Order): BucketRule | undefined {
  const [rule] = rules;
  return rules.length === 1 && ticket === undefined && rule?.kind === 'bucket' && rule.name === 'tenant-bucket' && !rule.shadow
    ? rule
    : undefined;
}

interface Group {
  readonly rule: BucketRule;
  readonly spec: number;
  readonly orders: { readonly order: Order; readonly index: number }[];
}

/**
 * Orders of one bucket each, one after the other, those of one bucket together. Undefined where the take is known already: its own
 * decision is for take.lua to repeat.
 *
 * @throws AppError `limiter-unavailable`
 */
export async function runBuckets(
  redis: Redis | Cluster,
  orders: readonly Order[],
  base: (slot: string) => string,
  now: Arg,
): Promise<(Verdict | undefined)[]> {
  const specs = new Map<string, number>();
  const specArgs: Arg[] = [];
  const groups = new Map<string, Group>();
  orders.forEach((order, index) => {
    const rule = order.rules[0] as BucketRule;
    const spec = `${rule.capacity} ${rule.everyNs} ${order.rememberMs} ${order.cost}`;
    let number = specs.get(spec);
    if (number === undefined) {
      specs.set(spec, (number = specs.size + 1));
      specArgs.push(rule.capacity, rule.everyNs, order.calls, order.rememberMs, `${order.cost} ${order.calls} - - - - -  ${rule.field} `);
    }
    const name = `${order.slot} ${number}`;
    const group = groups.get(name);
    if (group) group.orders.push({ order, index });
    else groups.set(name, { rule, spec: number, orders: [{ order, index }] });
  });

  const keys: string[] = [];
  const groupArgs: Arg[] = [];
  for (const { rule, spec, orders: ofOne } of groups.values()) {
    const prefix = base(ofOne[0]?.order.slot ?? '');
    keys.push(`${prefix}bucket:${rule.field}`);
    for (const { order } of ofOne) keys.push(`${prefix}take:${order.member}`);
    groupArgs.push(spec, ofOne.length);
  }
  const answers = (await runScript(redis, TAKE_BUCKETS, keys, [now, specs.size, ...specArgs, ...groupArgs])).split(',');

  const verdicts = new Array<Verdict | undefined>(orders.length);
  let next = 0;
  for (const { rule, orders: ofOne } of groups.values())
    for (const { order, index } of ofOne) verdicts[index] = verdict(rule, order, Number(answers[next++] ?? KNOWN));
  return verdicts;
}

/** What take-buckets.lua answers for a take that it leaves to take.lua. */
const KNOWN = -(2 ** 53);

function verdict(rule: BucketRule, { calls }: Order, answer: number): Verdict | undefined {
  if (answer === KNOWN) return undefined;
  const debtNs = answer < 0 ? -1 - answer : answer;
  const uses = [{ used: Math.ceil(debtNs / rule.everyNs), resetMicros: Math.ceil(debtNs / 1000) }];
  return answer < 0
    ? { is: 'refused', by: rule, waitMicros: waitForBucket(rule, debtNs, calls), uses, shadowed: [] }
    : { is: 'admitted', uses, shadowed: [] };
}

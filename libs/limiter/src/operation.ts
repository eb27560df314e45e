import type { Verdict } from './decided';
import type { Order, Rule, Seed, Use } from './rules';
import type { Arg } from './scripts';

/** One of the things that a script does one after the other; ARGV of take.lua and share.lua say how it is put. */
export interface Operation<T> {
  readonly slot: string;
  /** What it has in common with others: equal ones are sent once. */
  readonly spec: string;
  readonly args: readonly Arg[];
  /** Its part of the answer. */
  read(answers: Answers): T;
}

/** What a script answered, as it is read. */
export class Answers {
  private at = 0;

  constructor(private readonly items: readonly unknown[]) {}

  number(): number {
    return this.items[this.at++] as number;
  }
  text(): string {
    return String(this.items[this.at++]);
  }
}

export const settled = (slot: string, member: string, credits: number): Operation<void> => ({ slot, spec: 'settle', args: [member, credits], read: nothing });
export const returned = (slot: string, member: string): Operation<void> => ({ slot, spec: 'return', args: [member], read: nothing });
export const kept = (slot: string, member: string, ticket: string, forMs: number): Operation<void> => ({
  slot,
  spec: 'keep',
  args: [member, ticket, forMs],
  read: nothing,
});
const nothing = (): void => undefined;

export function taken(order: Order, mode: 'take' | 'look'): Operation<Verdict> {
  const { slot, member, cost, ticket, leaseMs, rememberMs, calls, rules, seeds } = order;
  const { words, windows, shadow } = wordsOf(rules);
  const kind = mode === 'take' && ticket !== undefined ? 'ticket' : mode;
  const periods = windows ? `${seeds.day?.period ?? '-'} ${seeds.month?.period ?? '-'}` : '- -';
  const args: Arg[] = [member];
  if (kind === 'ticket') args.push(ticket as string);
  if (windows) args.push(countOf(seeds.day), countOf(seeds.month));
  return { slot, spec: `${kind} ${cost} ${leaseMs} ${rememberMs} ${calls} ${periods}${words}`, args, read: (answers) => verdict(rules, shadow, answers) };
}

interface RuleWords {
  readonly words: string;
  readonly windows: boolean;
  readonly shadow: boolean;
}
/** Of rules that were sent before: they change when a plan does. */
const sent = new WeakMap<readonly Rule[], RuleWords>();

function wordsOf(rules: readonly Rule[]): RuleWords {
  let of = sent.get(rules);
  if (!of) {
    of = { words: rules.map(ruleWords).join(''), windows: rules.some(({ kind }) => kind === 'window'), shadow: rules.some((rule) => rule.shadow) };
    sent.set(rules, of);
  }
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

const countOf = (seed: Seed): Arg => seed?.count ?? '';

function verdict(rules: readonly Rule[], shadow: boolean, answers: Answers): Verdict {
  const code = answers.number();
  if (code === -2) return { is: 'closed' };
  const waitMicros = code === 0 ? 0 : answers.number();
  const bits = shadow ? answers.number() : 0;
  const uses = rules.map(({ kind, ...rule }): Use => {
    const used = answers.number();
    if (kind === 'window') return { used, resetMicros: answers.number() };
    return 'everyNs' in rule ? { used: Math.ceil(used / rule.everyNs), resetMicros: Math.ceil(used / 1000) } : { used, resetMicros: 0 };
  });
  if (code === -1) return { is: 'unknown-ledger', uses };
  if (code === -3) return { is: 'paused', waitMicros, uses };
  const shadowed = bits === 0 ? NONE : rules.filter((_, i) => (bits >> i) & 1);
  const by = rules[code - 1];
  return by ? { is: 'refused', by, waitMicros: waitMicros < 0 ? null : waitMicros, uses, shadowed } : { is: 'admitted', uses, shadowed };
}
const NONE: readonly Rule[] = [];

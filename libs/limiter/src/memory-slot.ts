import type { Verdict } from './decided';
import type { Order, Rule, Use } from './rules';
import { periodAt, periodEndMicros, type Period } from './periods';

/** A debt in nanoseconds of refilling, as it was at `atMicros`, when a call cost `everyNs`. */
interface Debt {
  ns: number;
  atMicros: number;
  everyNs: number;
}
interface Count {
  period: number;
  count: number;
}
/** What a take holds: its buckets, and per window the period in which it was counted and how much. */
interface Held {
  readonly untilMicros: number;
  readonly open: boolean;
  readonly cost: number;
  readonly buckets: readonly string[];
  readonly windows: Readonly<Partial<Record<Period, Count>>>;
}

/** Everything that is counted of one tenant's project, or of one upstream key. */
export interface Slot {
  readonly buckets: Map<string, Debt>;
  readonly windows: Partial<Record<Period, Count>>;
  /** Slots in use: the end of each lease, by take. */
  readonly leases: Map<string, number>;
  readonly takes: Map<string, Held>;
  /** From then on nothing in it matters any more. */
  keepUntilMicros: number;
}

export const emptySlot = (): Slot => ({
  buckets: new Map(),
  windows: {},
  leases: new Map(),
  takes: new Map(),
  keepUntilMicros: 0,
});

/** A rule beside what is used of it; windows of one kind share their count. */
type Reading =
  | { readonly rule: Extract<Rule, { kind: 'bucket' }>; debtNs: number }
  | { readonly rule: Extract<Rule, { kind: 'window' }>; readonly window: WindowReading }
  | { readonly rule: Extract<Rule, { kind: 'slots' }>; used: number; readonly ends: readonly number[] };
interface WindowReading {
  readonly period: number;
  readonly endMicros: number;
  count: number | undefined;
}

/** One step of admission: all of its rules or none. The model of take.lua. */
export function take(slot: Slot, order: Order, nowMicros: number): Verdict {
  forget(slot, nowMicros);
  const remembered = slot.takes.get(order.member);
  const held = remembered && remembered.untilMicros > nowMicros ? remembered : undefined;
  if (held && !held.open) return { is: 'closed' };
  resumeTime(slot, order, nowMicros);
  const due = Math.max(0, order.cost - (held?.cost ?? 0));
  const { readings, windows } = read(slot, order, nowMicros);

  if (Object.values(windows).some((window) => window.count === undefined))
    return { is: 'unknown-ledger', uses: uses(readings, nowMicros) };
  let refusal: { by: Rule; waitMicros: number | null } | undefined;
  for (const reading of readings) {
    const waitMicros = waitFor(reading, held === undefined, due, order.cost, nowMicros);
    if (waitMicros !== 0 && (!refusal || longer(waitMicros, refusal.waitMicros))) refusal = { by: reading.rule, waitMicros };
  }
  if (refusal) return { is: 'refused', ...refusal, uses: uses(readings, nowMicros) };
  if (!held || due > 0) spend(slot, order, held, due, readings, windows, nowMicros);
  return { is: 'admitted', uses: uses(readings, nowMicros) };
}

export const look = (slot: Slot, order: Order, nowMicros: number): readonly Use[] =>
  uses(read(slot, order, nowMicros).readings, nowMicros);

/** Ends a take: with what it cost in millionths, or, undefined, as if it had never been. The model of close.lua. */
export function close(slot: Slot, member: string, cost: number | undefined, nowMicros: number): void {
  const held = slot.takes.get(member);
  if (!held?.open || held.untilMicros <= nowMicros) return;
  slot.takes.set(member, { ...held, open: false });
  slot.leases.delete(member);
  for (const kind of ['day', 'month'] as const) {
    const [counted, taken] = [slot.windows[kind], held.windows[kind]];
    if (counted && taken?.period === counted.period) counted.count = Math.max(0, counted.count + (cost ?? 0) - taken.count);
  }
  if (cost !== undefined) return;
  for (const field of held.buckets) {
    const debt = slot.buckets.get(field);
    if (debt) debt.ns = Math.max(0, debt.ns - debt.everyNs);
  }
}

/** Microseconds until the rule allows the call, 0 = now, null = never. */
function waitFor(reading: Reading, first: boolean, due: number, cost: number, nowMicros: number): number | null {
  if ('window' in reading) {
    const { rule, window } = reading;
    if (due === 0 || (window.count ?? 0) + due <= rule.limit) return 0;
    return cost > rule.limit ? null : window.endMicros - nowMicros;
  }
  if (!first) return 0;
  if ('ends' in reading) {
    const { rule, ends } = reading;
    if (ends.length < rule.limit) return 0;
    const freed = ends.toSorted((a, b) => a - b)[ends.length - rule.limit];
    return freed === undefined ? null : freed - nowMicros;
  }
  const { capacity, everyNs } = reading.rule;
  const shortNs = reading.debtNs + everyNs - capacity * everyNs;
  if (capacity === 0) return null;
  return shortNs > 0 ? Math.ceil(shortNs / 1000) : 0;
}

const longer = (a: number | null, b: number | null): boolean => b !== null && (a === null || a > b);

function read(
  slot: Slot,
  order: Order,
  nowMicros: number,
): { readings: Reading[]; windows: Partial<Record<Period, WindowReading>> } {
  const windows: Partial<Record<Period, WindowReading>> = {};
  const readings = order.rules.map((rule): Reading => {
    switch (rule.kind) {
      case 'bucket':
        return { rule, debtNs: debtAt(slot.buckets.get(rule.field), rule, nowMicros) };
      case 'window':
        return { rule, window: (windows[rule.period] ??= readWindow(slot, order, rule.period, nowMicros)) };
      case 'slots': {
        const ends = [...slot.leases.values()].filter((end) => end > nowMicros);
        return { rule, used: ends.length, ends };
      }
    }
  });
  return { readings, windows };
}

/** The old rate until now; then the debt in calls is kept at the new rate; a lower capacity forgives what is above it. */
function debtAt(debt: Debt | undefined, rule: { capacity: number; everyNs: number }, nowMicros: number): number {
  if (!debt) return 0;
  let ns = Math.max(0, debt.ns - Math.max(0, nowMicros - debt.atMicros) * 1000);
  if (debt.everyNs !== rule.everyNs) ns = Math.ceil((ns * rule.everyNs) / debt.everyNs);
  return Math.min(ns, rule.capacity * rule.everyNs);
}

function readWindow(slot: Slot, order: Order, kind: Period, nowMicros: number): WindowReading {
  const counted = slot.windows[kind];
  const today = periodAt(kind, nowMicros);
  // a clock that was set back does not bring a used quota back
  const period = Math.max(today, counted?.period ?? today);
  let count = counted?.period === period ? counted.count : undefined;
  const seed = order.seeds[kind];
  if (seed && seed.period <= period) count = Math.max(count ?? 0, seed.period === period ? seed.count : 0);
  return { period, endMicros: periodEndMicros(kind, period), count };
}

function spend(
  slot: Slot,
  order: Order,
  held: Held | undefined,
  due: number,
  readings: readonly Reading[],
  windows: Partial<Record<Period, WindowReading>>,
  nowMicros: number,
): void {
  const keep = (untilMicros: number) => (slot.keepUntilMicros = Math.max(slot.keepUntilMicros, untilMicros));
  const buckets: string[] = [...(held?.buckets ?? [])];
  for (const reading of held ? [] : readings) {
    if ('debtNs' in reading) {
      const { field, everyNs } = reading.rule;
      reading.debtNs += everyNs;
      slot.buckets.set(field, { ns: reading.debtNs, atMicros: nowMicros, everyNs });
      buckets.push(field);
      keep(nowMicros + reading.debtNs / 1000);
    } else if ('ends' in reading) {
      reading.used += 1;
      slot.leases.set(order.member, nowMicros + order.leaseMs * 1000);
      keep(nowMicros + order.leaseMs * 1000);
    }
  }
  const taken: Partial<Record<Period, Count>> = { ...held?.windows };
  for (const kind of ['day', 'month'] as const) {
    const window = windows[kind];
    if (!window) continue;
    const { period } = window;
    window.count = (window.count ?? 0) + due;
    slot.windows[kind] = { period, count: window.count };
    const before = held?.windows[kind];
    taken[kind] = { period, count: (before?.period === period ? before.count : 0) + due };
    keep(window.endMicros);
  }
  const untilMicros = nowMicros + order.rememberMs * 1000;
  // to the end of the map, so that it stays in the order of forgetting
  slot.takes.delete(order.member);
  slot.takes.set(order.member, { untilMicros, open: true, cost: (held?.cost ?? 0) + due, buckets, windows: taken });
  keep(untilMicros);
}

function uses(readings: readonly Reading[], nowMicros: number): readonly Use[] {
  return readings.map((reading): Use => {
    if ('window' in reading) return { used: reading.window.count ?? 0, resetMicros: reading.window.endMicros - nowMicros };
    if ('ends' in reading) return { used: reading.used, resetMicros: 0 };
    return { used: Math.ceil(reading.debtNs / reading.rule.everyNs), resetMicros: Math.ceil(reading.debtNs / 1000) };
  });
}

/** A clock that was set back: time begins anew from here, else the bucket would stand still until it has caught up. */
function resumeTime(slot: Slot, order: Order, nowMicros: number): void {
  for (const rule of order.rules) {
    const debt = rule.kind === 'bucket' ? slot.buckets.get(rule.field) : undefined;
    if (debt && debt.ns > 0 && debt.atMicros > nowMicros) debt.atMicros = nowMicros;
  }
}

/** Drops what has ended, oldest first, so that a busy slot stays as large as what it remembers. */
function forget(slot: Slot, nowMicros: number): void {
  for (const ended of [slot.takes, slot.leases]) {
    for (const [member, entry] of ended) {
      if ((typeof entry === 'number' ? entry : entry.untilMicros) > nowMicros) break;
      ended.delete(member);
    }
  }
}

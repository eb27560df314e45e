import type { Verdict } from './decided';
import { periodAt, periodEndMicros, type Period } from './periods';
import { leaseEndMicros, type BucketRule, type Order, type Rule, type SlotsRule, type Use } from './rules';
import type { Sharing } from './sharing';

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
export interface Held {
  readonly untilMicros: number;
  readonly open: boolean;
  readonly cost: number;
  readonly calls: number;
  readonly buckets: readonly string[];
  readonly windows: Readonly<Partial<Record<Period, Count>>>;
  /** On a shared key: whose tag has been charged, and by how much. */
  readonly charged?: { readonly tenant: string; readonly amount: number };
}

/** Everything that is counted of one tenant's project, or of one upstream key. */
export interface Slot {
  readonly buckets: Map<string, Debt>;
  readonly windows: Partial<Record<Period, Count>>;
  /** Slots in use: the end of each lease, by take. */
  readonly leases: Map<string, number>;
  readonly takes: Map<string, Held>;
  /** What refused calls have left behind for the one that brings the ticket. */
  readonly kept: Map<string, Held>;
  sharing?: Sharing;
  /** Of an upstream key that refused calls. */
  pausedUntilMicros?: number;
  /** From then on nothing in it matters any more. */
  keepUntilMicros: number;
}

export const emptySlot = (): Slot => ({
  buckets: new Map(),
  windows: {},
  leases: new Map(),
  takes: new Map(),
  kept: new Map(),
  keepUntilMicros: 0,
});

/** A rule beside what is used of it; windows of one kind share their count. */
type Reading =
  | { readonly rule: BucketRule; debtNs: number }
  | { readonly rule: Extract<Rule, { kind: 'window' }>; readonly window: WindowReading }
  | { readonly rule: SlotsRule; used: number; readonly ends: readonly number[] };
interface WindowReading {
  readonly period: number;
  readonly endMicros: number;
  count: number | undefined;
}

/** One step of admission: all of its rules or none. The model of take.lua. */
export function take(slot: Slot, order: Order, nowMicros: number): Verdict {
  forget(slot, nowMicros);
  returnKept(slot, nowMicros);
  resumeTime(slot, order.rules, nowMicros);
  const held = remembered(slot, order.member, nowMicros);
  if (held && !held.open) return { is: 'closed' };
  const kept = held ?? (order.ticket === undefined ? undefined : slot.kept.get(order.ticket));
  const due = Math.max(0, order.cost - (kept?.cost ?? 0));
  const { readings, windows } = read(slot, order, nowMicros);

  if (readings.some((reading) => 'window' in reading && reading.window.count === undefined && !reading.rule.shadow))
    return { is: 'unknown-ledger', uses: uses(readings, nowMicros) };
  let refusal: { by: Rule; waitMicros: number | null } | undefined;
  const shadowed: Rule[] = [];
  for (const reading of readings) {
    const { rule } = reading;
    const taken = held !== undefined || (rule.kind === 'bucket' && kept?.buckets.includes(rule.field));
    const waitMicros = waitFor(reading, !taken, due, order, nowMicros);
    if (waitMicros === 0) continue;
    if (rule.shadow) shadowed.push(rule);
    else if (!refusal || longer(waitMicros, refusal.waitMicros)) refusal = { by: rule, waitMicros };
  }
  const pauseMicros = held ? 0 : pausedMicros(slot, nowMicros);
  if (pauseMicros > 0 && (!refusal || longer(pauseMicros, refusal.waitMicros)))
    return { is: 'paused', waitMicros: pauseMicros, uses: uses(readings, nowMicros) };
  if (refusal) return { is: 'refused', ...refusal, uses: uses(readings, nowMicros), shadowed };
  if (!held || due > 0) {
    // a limit in shadow mode spends as if it had refused: nothing
    const spending = held ? [] : readings.filter(({ rule }) => !shadowed.includes(rule));
    spend(slot, order, kept, due, spending, windows, nowMicros);
    if (order.ticket !== undefined && !held) slot.kept.delete(order.ticket);
  }
  return { is: 'admitted', uses: uses(readings, nowMicros), shadowed };
}

export function remembered(slot: Slot, member: string, nowMicros: number): Held | undefined {
  const held = slot.takes.get(member);
  return held && held.untilMicros > nowMicros ? held : undefined;
}

/** Until the upstream may be asked again. */
export const pausedMicros = ({ pausedUntilMicros = 0 }: Slot, nowMicros: number): number => Math.max(0, pausedUntilMicros - nowMicros);

/** The model of pause.lua. */
export function pause(slot: Slot, forMs: number, nowMicros: number): void {
  slot.pausedUntilMicros = Math.max(slot.pausedUntilMicros ?? 0, nowMicros + forMs * 1000);
  keepUntil(slot, slot.pausedUntilMicros);
}

export const look = (slot: Slot, order: Order, nowMicros: number): readonly Use[] =>
  uses(read(slot, order, nowMicros).readings, nowMicros);

/** Ends a take: with what it cost in millionths, or, undefined, as if it had never been. The model of close.lua. */
export function close(slot: Slot, member: string, cost: number | undefined, nowMicros: number): Held | undefined {
  const held = remembered(slot, member, nowMicros);
  if (!held?.open) return undefined;
  slot.takes.set(member, closedTake(held.untilMicros));
  slot.leases.delete(member);
  correctWindows(slot, held, cost ?? 0);
  if (cost !== undefined) return undefined;
  for (const field of held.buckets) {
    const debt = slot.buckets.get(field);
    if (debt) debt.ns = Math.max(0, debt.ns - held.calls * debt.everyNs);
  }
  return held;
}

/** All that matters of it is that it was: of a busy slot there are many, so that each is as small as can be. */
const closedTake = (untilMicros: number): Held => ({ untilMicros, open: false, cost: 0, calls: 0, buckets: NO_BUCKETS, windows: NO_WINDOWS });
const NO_BUCKETS: Held['buckets'] = [];
const NO_WINDOWS: Held['windows'] = {};

/** The take's buckets and windows stay taken, under the ticket. The model of keep.lua. */
export function keep(slot: Slot, member: string, ticket: string, forMs: number, nowMicros: number): void {
  const held = remembered(slot, member, nowMicros);
  if (!held?.open) return;
  slot.takes.set(member, closedTake(held.untilMicros));
  slot.leases.delete(member);
  slot.kept.set(ticket, { ...held, untilMicros: nowMicros + forMs * 1000 });
}

/** For whom nobody came: the windows are corrected; the buckets, time has paid. */
function returnKept(slot: Slot, nowMicros: number): void {
  for (const [ticket, held] of slot.kept) {
    if (held.untilMicros > nowMicros) continue;
    slot.kept.delete(ticket);
    correctWindows(slot, held, 0);
  }
}

function correctWindows(slot: Slot, held: Held, cost: number): void {
  for (const kind of ['day', 'month'] as const) {
    const [counted, taken] = [slot.windows[kind], held.windows[kind]];
    if (counted && taken?.period === counted.period) counted.count = Math.max(0, counted.count + cost - taken.count);
  }
}

/** Microseconds until the rule allows the call, 0 = now, null = never. */
function waitFor(reading: Reading, first: boolean, due: number, { cost, calls }: Order, nowMicros: number): number | null {
  if ('window' in reading) {
    const { rule, window } = reading;
    if (due === 0 || (window.count ?? 0) + due <= rule.limit) return 0;
    return cost > rule.limit ? null : window.endMicros - nowMicros;
  }
  if (!first) return 0;
  if ('ends' in reading) {
    const { rule, ends } = reading;
    return waitForSlots(rule, ends, nowMicros);
  }
  return waitForBucket(reading.rule, reading.debtNs, calls);
}

export function waitForBucket({ capacity, everyNs }: BucketRule, debtNs: number, calls: number): number | null {
  const shortNs = debtNs + calls * everyNs - capacity * everyNs;
  if (capacity < calls) return null;
  return shortNs > 0 ? Math.ceil(shortNs / 1000) : 0;
}

export function waitForSlots({ limit }: SlotsRule, ends: readonly number[], nowMicros: number): number | null {
  if (ends.length < limit) return 0;
  const freed = ends.toSorted((a, b) => a - b)[ends.length - limit];
  return freed === undefined ? null : freed - nowMicros;
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
        const ends = leaseEnds(slot, nowMicros);
        return { rule, used: ends.length, ends };
      }
    }
  });
  return { readings, windows };
}

export const leaseEnds = (slot: Slot, nowMicros: number): readonly number[] =>
  [...slot.leases.values()].filter((end) => end > nowMicros);

/** The old rate until now; then the debt in calls is kept at the new rate; a lower capacity forgives what is above it. */
export function debtAt(debt: Debt | undefined, rule: { capacity: number; everyNs: number }, nowMicros: number): number {
  if (!debt) return 0;
  return Math.min(unboundedAt(debt, rule.everyNs, nowMicros), rule.capacity * rule.everyNs);
}

function unboundedAt(debt: Debt, everyNs: number, nowMicros: number): number {
  const ns = Math.max(0, debt.ns - Math.max(0, nowMicros - debt.atMicros) * 1000);
  return debt.everyNs === everyNs ? ns : Math.ceil((ns * everyNs) / debt.everyNs);
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
  const buckets: string[] = [...(held?.buckets ?? [])];
  for (const reading of readings) {
    if ('debtNs' in reading && !buckets.includes(reading.rule.field)) {
      const { field, everyNs } = reading.rule;
      reading.debtNs += order.calls * everyNs;
      setDebt(slot, field, { ns: reading.debtNs, atMicros: nowMicros, everyNs });
      buckets.push(field);
    } else if ('ends' in reading) {
      reading.used += 1;
      lend(slot, order, nowMicros);
    }
  }
  const taken: Partial<Record<Period, Count>> = { ...held?.windows };
  for (const kind of ['day', 'month'] as const) {
    const window = windows[kind];
    if (window?.count === undefined) continue;
    const { period } = window;
    window.count += due;
    slot.windows[kind] = { period, count: window.count };
    const before = held?.windows[kind];
    taken[kind] = { period, count: (before?.period === period ? before.count : 0) + due };
    keepUntil(slot, window.endMicros);
  }
  const { calls, member } = order;
  remember(slot, member, {
    untilMicros: nowMicros + order.rememberMs * 1000,
    open: true,
    cost: (held?.cost ?? 0) + due,
    calls,
    buckets,
    windows: taken,
  });
}

export function setDebt(slot: Slot, field: string, debt: Debt): void {
  slot.buckets.set(field, debt);
  keepUntil(slot, debt.atMicros + debt.ns / 1000);
}

export function lend(slot: Slot, { member, leaseMs }: Pick<Order, 'member' | 'leaseMs'>, nowMicros: number): void {
  const untilMicros = leaseEndMicros(nowMicros, leaseMs);
  slot.leases.set(member, untilMicros);
  keepUntil(slot, untilMicros);
}

export function remember(slot: Slot, member: string, held: Held): void {
  // to the end of the map, so that it stays in the order of forgetting
  slot.takes.delete(member);
  slot.takes.set(member, held);
  keepUntil(slot, held.untilMicros);
}

export function keepUntil(slot: Slot, micros: number): void {
  slot.keepUntilMicros = Math.max(slot.keepUntilMicros, micros);
}

function uses(readings: readonly Reading[], nowMicros: number): readonly Use[] {
  return readings.map((reading): Use => {
    if ('window' in reading) return { used: reading.window.count ?? 0, resetMicros: reading.window.endMicros - nowMicros };
    if ('ends' in reading) return { used: reading.used, resetMicros: 0 };
    return { used: Math.ceil(reading.debtNs / reading.rule.everyNs), resetMicros: Math.ceil(reading.debtNs / 1000) };
  });
}

/**
 * Under another rate or a lower capacity time begins anew from here, else it would go on paying at the old one and forgive again each time: a
 * wait that was told would not be true. And after a clock was set back, else the bucket would stand still until it has caught up.
 */
export function resumeTime(slot: Slot, rules: readonly Rule[], nowMicros: number): void {
  for (const rule of rules) {
    const debt = rule.kind === 'bucket' ? slot.buckets.get(rule.field) : undefined;
    if (!debt || debt.ns === 0 || rule.kind !== 'bucket') continue;
    const left = unboundedAt(debt, rule.everyNs, nowMicros);
    const most = rule.capacity * rule.everyNs;
    if (left > 0 && rule.capacity > 0 && (debt.everyNs !== rule.everyNs || left > most)) {
      setDebt(slot, rule.field, { ns: Math.min(left, most), atMicros: nowMicros, everyNs: rule.everyNs });
    } else if (debt.atMicros > nowMicros) {
      debt.atMicros = nowMicros;
    }
  }
}

/** Drops what has ended, oldest first, so that a busy slot stays as large as what it remembers. */
export function forget(slot: Slot, nowMicros: number): void {
  for (const ended of [slot.takes, slot.leases]) {
    for (const [member, entry] of ended) {
      if ((typeof entry === 'number' ? entry : entry.untilMicros) > nowMicros) break;
      ended.delete(member);
    }
  }
}

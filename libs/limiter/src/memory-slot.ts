import type { Verdict } from './decided';
import { periodAt, periodEndMicros, type Period } from './periods';
import { closedUntilMicros, leaseEndMicros, type BucketRule, type Order, type Rule, type Seed, type SlotsRule, type Use } from './rules';
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
interface Counts {
  day: Count | undefined;
  month: Count | undefined;
}
/** What a take holds: its buckets, its place among the calls in flight, and per window the period in which it was counted and how much. */
export interface Held {
  readonly untilMicros: number;
  readonly cost: number;
  readonly calls: number;
  readonly buckets: readonly string[];
  readonly day: Count | undefined;
  readonly month: Count | undefined;
  /** When its lease ends. */
  readonly leaseMicros: number | undefined;
  /** On a shared key: whose tag has been charged, and by how much. */
  readonly charged: { readonly tenant: string; readonly amount: number } | undefined;
}

/** Everything that is counted of one tenant's project, or of one upstream key. */
export interface Slot {
  readonly buckets: Map<string, Debt>;
  readonly windows: Counts;
  /** Slots in use: how many end when, in µs. */
  readonly leases: Map<number, number>;
  /** Those that are open, by their names. */
  readonly takes: Map<string, Held>;
  /** Those that were closed a moment ago, and until when that is remembered; in the order of their closing. */
  readonly closed: Map<string, number>;
  /** Of all that were ever closed the last in the order of names: these mostly begin with their time, so that a new one is looked for nowhere. */
  lastClosed: string;
  /** Before that none of them is to be forgotten. */
  forgetMicros: number;
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
  windows: { day: undefined, month: undefined },
  leases: new Map(),
  takes: new Map(),
  closed: new Map(),
  lastClosed: '',
  forgetMicros: 0,
  kept: new Map(),
  keepUntilMicros: 0,
});

/** A rule beside what is used of it; windows of one kind share their count. */
type Reading =
  | { readonly rule: BucketRule; debtNs: number }
  | { readonly rule: Extract<Rule, { kind: 'window' }>; readonly window: WindowReading }
  | { readonly rule: SlotsRule; used: number };
interface WindowReadings {
  day: WindowReading | undefined;
  month: WindowReading | undefined;
}
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
  if (held === undefined && wasClosed(slot, order.member, nowMicros)) return { is: 'closed' };
  const kept = held ?? (order.ticket === undefined ? undefined : slot.kept.get(order.ticket));
  const due = Math.max(0, order.cost - (kept?.cost ?? 0));
  const { readings, windows } = read(slot, order, nowMicros);

  if (readings.some((reading) => 'window' in reading && reading.window.count === undefined && !reading.rule.shadow))
    return { is: 'unknown-ledger', uses: uses(readings, nowMicros) };
  let refusal: { by: Rule; waitMicros: number | null } | undefined;
  let shadowed = NO_RULES;
  for (const reading of readings) {
    const { rule } = reading;
    const taken = held !== undefined || (rule.kind === 'bucket' && kept?.buckets.includes(rule.field));
    const waitMicros = waitFor(slot, reading, !taken, due, order, nowMicros);
    if (waitMicros === 0) continue;
    if (rule.shadow) shadowed = [...shadowed, rule];
    else if (!refusal || longer(waitMicros, refusal.waitMicros)) refusal = { by: rule, waitMicros };
  }
  const pauseMicros = held ? 0 : pausedMicros(slot, nowMicros);
  if (pauseMicros > 0 && (!refusal || longer(pauseMicros, refusal.waitMicros)))
    return { is: 'paused', waitMicros: pauseMicros, uses: uses(readings, nowMicros) };
  if (refusal) return { is: 'refused', ...refusal, uses: uses(readings, nowMicros), shadowed };
  if (!held || due > 0) {
    // a limit in shadow mode spends as if it had refused: nothing
    const spending = held ? [] : shadowed.length === 0 ? readings : readings.filter(({ rule }) => !shadowed.includes(rule));
    spend(slot, order, kept, due, spending, windows, nowMicros);
    if (order.ticket !== undefined && !held) slot.kept.delete(order.ticket);
  }
  return new Taken(readings, nowMicros, shadowed);
}

/** What it leaves of each rule is worked out when it is asked for. */
class Taken {
  readonly is = 'admitted';

  constructor(
    private readonly readings: readonly Reading[],
    private readonly nowMicros: number,
    readonly shadowed: readonly Rule[],
  ) {}

  get uses(): readonly Use[] {
    return uses(this.readings, this.nowMicros);
  }
}

const NO_RULES: readonly Rule[] = [];

/** A take that is open. */
export function remembered(slot: Slot, member: string, nowMicros: number): Held | undefined {
  const held = slot.takes.get(member);
  return held !== undefined && held.untilMicros > nowMicros ? held : undefined;
}

export const wasClosed = ({ closed, lastClosed }: Slot, member: string, nowMicros: number): boolean =>
  member <= lastClosed && (closed.get(member) ?? 0) > nowMicros;

/** Until the upstream may be asked again. */
export const pausedMicros = ({ pausedUntilMicros = 0 }: Slot, nowMicros: number): number => Math.max(0, pausedUntilMicros - nowMicros);

/** The model of pause.lua. */
export function pause(slot: Slot, forMs: number, nowMicros: number): void {
  slot.pausedUntilMicros = Math.max(slot.pausedUntilMicros ?? 0, nowMicros + forMs * 1000);
  keepUntil(slot, slot.pausedUntilMicros);
}

export const look = (slot: Slot, order: Order, nowMicros: number): readonly Use[] =>
  uses(read(slot, order, nowMicros).readings, nowMicros);

/** Ends a take: with what it cost in millionths, or, undefined, as if it had never been. The model of a take's end in operations.lua. */
export function close(slot: Slot, member: string, cost: number | undefined, nowMicros: number): Held | undefined {
  const held = remembered(slot, member, nowMicros);
  if (held === undefined) return undefined;
  leave(slot, member, held, nowMicros);
  correctWindows(slot, held, cost ?? 0);
  if (cost !== undefined) return undefined;
  for (const field of held.buckets) {
    const debt = slot.buckets.get(field);
    if (debt) debt.ns = Math.max(0, debt.ns - held.calls * debt.everyNs);
  }
  return held;
}

/** It is closed, and its place among the calls in flight is free. */
function leave(slot: Slot, member: string, { untilMicros, leaseMicros }: Held, nowMicros: number): void {
  const { takes, closed, leases } = slot;
  takes.delete(member);
  if (member > slot.lastClosed) slot.lastClosed = member;
  closed.set(member, closedUntilMicros(untilMicros, nowMicros));
  if (leaseMicros === undefined) return;
  const others = (leases.get(leaseMicros) ?? 0) - 1;
  if (others > 0) leases.set(leaseMicros, others);
  else leases.delete(leaseMicros);
}

/** The take's buckets and windows stay taken, under the ticket. The model of keeping in operations.lua. */
export function keep(slot: Slot, member: string, ticket: string, forMs: number, nowMicros: number): void {
  const held = remembered(slot, member, nowMicros);
  if (held === undefined) return;
  leave(slot, member, held, nowMicros);
  slot.kept.set(ticket, { ...held, leaseMicros: undefined, untilMicros: nowMicros + forMs * 1000 });
}

/** For whom nobody came: the windows are corrected; the buckets, time has paid. */
function returnKept(slot: Slot, nowMicros: number): void {
  if (slot.kept.size === 0) return;
  for (const [ticket, held] of slot.kept) {
    if (held.untilMicros > nowMicros) continue;
    slot.kept.delete(ticket);
    correctWindows(slot, held, 0);
  }
}

function correctWindows(slot: Slot, held: Held, cost: number): void {
  correctWindow(slot.windows.day, held.day, cost);
  correctWindow(slot.windows.month, held.month, cost);
}

function correctWindow(counted: Count | undefined, taken: Count | undefined, cost: number): void {
  if (counted && taken?.period === counted.period) counted.count = Math.max(0, counted.count + cost - taken.count);
}

/** Microseconds until the rule allows the call, 0 = now, null = never. */
function waitFor(slot: Slot, reading: Reading, first: boolean, due: number, { cost, calls }: Order, nowMicros: number): number | null {
  if ('window' in reading) {
    const { rule, window } = reading;
    if (due === 0 || (window.count ?? 0) + due <= rule.limit) return 0;
    return cost > rule.limit ? null : window.endMicros - nowMicros;
  }
  if (!first) return 0;
  if ('used' in reading) return waitForSlots(slot, reading.rule, reading.used, nowMicros);
  return waitForBucket(reading.rule, reading.debtNs, calls);
}

export function waitForBucket({ capacity, everyNs }: BucketRule, debtNs: number, calls: number): number | null {
  const shortNs = debtNs + calls * everyNs - capacity * everyNs;
  if (capacity < calls) return null;
  return shortNs > 0 ? Math.ceil(shortNs / 1000) : 0;
}

export function waitForSlots({ leases }: Slot, { limit }: SlotsRule, used: number, nowMicros: number): number | null {
  if (used < limit) return 0;
  const ends = [...leases].flatMap(([end, takes]) => (end > nowMicros ? Array.from({ length: takes }, () => end) : []));
  const freed = ends.toSorted((a, b) => a - b)[used - limit];
  return freed === undefined ? null : freed - nowMicros;
}

const longer = (a: number | null, b: number | null): boolean => b !== null && (a === null || a > b);

function read(slot: Slot, order: Order, nowMicros: number): { readings: Reading[]; windows: WindowReadings } {
  const windows: WindowReadings = { day: undefined, month: undefined };
  const readings = order.rules.map((rule): Reading => {
    switch (rule.kind) {
      case 'bucket':
        return { rule, debtNs: debtAt(slot.buckets.get(rule.field), rule, nowMicros) };
      case 'window': {
        const window =
          rule.period === 'day'
            ? (windows.day ??= readWindow('day', slot.windows.day, order.seeds.day, nowMicros))
            : (windows.month ??= readWindow('month', slot.windows.month, order.seeds.month, nowMicros));
        return { rule, window };
      }
      case 'slots':
        return { rule, used: slotsInUse(slot, nowMicros) };
    }
  });
  return { readings, windows };
}

export function slotsInUse({ leases }: Slot, nowMicros: number): number {
  let used = 0;
  for (const [end, takes] of leases) if (end > nowMicros) used += takes;
  return used;
}

/** The old rate until now; then the debt in calls is kept at the new rate; a lower capacity forgives what is above it. */
export function debtAt(debt: Debt | undefined, rule: { capacity: number; everyNs: number }, nowMicros: number): number {
  if (!debt) return 0;
  return Math.min(unboundedAt(debt, rule.everyNs, nowMicros), rule.capacity * rule.everyNs);
}

function unboundedAt(debt: Debt, everyNs: number, nowMicros: number): number {
  const ns = Math.max(0, debt.ns - Math.max(0, nowMicros - debt.atMicros) * 1000);
  return debt.everyNs === everyNs ? ns : Math.ceil((ns * everyNs) / debt.everyNs);
}

function readWindow(kind: Period, counted: Count | undefined, seed: Seed, nowMicros: number): WindowReading {
  const today = periodAt(kind, nowMicros);
  // a clock that was set back does not bring a used quota back
  const period = Math.max(today, counted?.period ?? today);
  let count = counted?.period === period ? counted.count : undefined;
  if (seed && seed.period <= period) count = Math.max(count ?? 0, seed.period === period ? seed.count : 0);
  return { period, endMicros: periodEndMicros(kind, period), count };
}

function spend(
  slot: Slot,
  order: Order,
  held: Held | undefined,
  due: number,
  readings: readonly Reading[],
  windows: WindowReadings,
  nowMicros: number,
): void {
  let buckets = held?.buckets ?? NO_BUCKETS;
  let leaseMicros = held?.leaseMicros;
  for (const reading of readings) {
    if ('debtNs' in reading && !buckets.includes(reading.rule.field)) {
      const { field, everyNs } = reading.rule;
      reading.debtNs += order.calls * everyNs;
      setDebt(slot, field, reading.debtNs, nowMicros, everyNs);
      buckets = [...buckets, field];
    } else if ('used' in reading) {
      reading.used += 1;
      leaseMicros = lend(slot, order.leaseMs, nowMicros);
    }
  }
  const { day, month } = windows;
  if (day?.count !== undefined) slot.windows.day = countedIn(slot, day, slot.windows.day, due);
  if (month?.count !== undefined) slot.windows.month = countedIn(slot, month, slot.windows.month, due);
  remember(slot, order.member, {
    untilMicros: nowMicros + order.rememberMs * 1000,
    cost: (held?.cost ?? 0) + due,
    calls: order.calls,
    buckets,
    day: takenOf(day, held?.day, due),
    month: takenOf(month, held?.month, due),
    leaseMicros,
    charged: undefined,
  });
}

const NO_BUCKETS: Held['buckets'] = [];

function countedIn(slot: Slot, window: WindowReading, counted: Count | undefined, due: number): Count {
  const count = (window.count ?? 0) + due;
  window.count = count;
  keepUntil(slot, window.endMicros);
  if (counted === undefined) return { period: window.period, count };
  counted.period = window.period;
  counted.count = count;
  return counted;
}

const takenOf = (window: WindowReading | undefined, before: Count | undefined, due: number): Count | undefined =>
  window?.count === undefined ? before : { period: window.period, count: (before?.period === window.period ? before.count : 0) + due };

export function setDebt(slot: Slot, field: string, ns: number, atMicros: number, everyNs: number): void {
  const debt = slot.buckets.get(field);
  if (debt === undefined) slot.buckets.set(field, { ns, atMicros, everyNs });
  else {
    debt.ns = ns;
    debt.atMicros = atMicros;
    debt.everyNs = everyNs;
  }
  keepUntil(slot, atMicros + ns / 1000);
}

/** Answers when the lease ends. */
export function lend(slot: Slot, leaseMs: number, nowMicros: number): number {
  const untilMicros = leaseEndMicros(nowMicros, leaseMs);
  slot.leases.set(untilMicros, (slot.leases.get(untilMicros) ?? 0) + 1);
  keepUntil(slot, untilMicros);
  return untilMicros;
}

export function remember(slot: Slot, member: string, held: Held): void {
  slot.takes.set(member, held);
  keepUntil(slot, held.untilMicros);
}

export function keepUntil(slot: Slot, micros: number): void {
  slot.keepUntilMicros = Math.max(slot.keepUntilMicros, micros);
}

function uses(readings: readonly Reading[], nowMicros: number): readonly Use[] {
  return readings.map((reading): Use => {
    if ('window' in reading) return { used: reading.window.count ?? 0, resetMicros: reading.window.endMicros - nowMicros };
    if ('used' in reading) return { used: reading.used, resetMicros: 0 };
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
      setDebt(slot, rule.field, Math.min(left, most), nowMicros, rule.everyNs);
    } else if (debt.atMicros > nowMicros) {
      debt.atMicros = nowMicros;
    }
  }
}

/** Drops what has ended, oldest first, so that a busy slot stays as large as what it remembers. */
export function forget(slot: Slot, nowMicros: number): void {
  for (const end of slot.leases.keys()) if (end <= nowMicros) slot.leases.delete(end);
  if (slot.forgetMicros > nowMicros) return;
  slot.forgetMicros = Math.min(firstToEnd(slot.takes, untilOf, nowMicros), firstToEnd(slot.closed, asItIs, nowMicros));
}

/** About in the order of their ends: what ends before the first one that does not waits for it. */
function firstToEnd<T>(all: Map<string, T>, until: (one: T) => number, nowMicros: number): number {
  for (const [member, one] of all) {
    const untilMicros = until(one);
    if (untilMicros > nowMicros) return untilMicros;
    all.delete(member);
  }
  return 0;
}

const untilOf = ({ untilMicros }: Held): number => untilMicros;
const asItIs = (untilMicros: number): number => untilMicros;

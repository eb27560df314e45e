import { AppError, invalid } from '@weir/kernel';
import type { Bucket, KeyLimits, KeyTake, LimitedBy, LimitName, Priority, Share, Standing, TakeRef, TenantLimits, TenantTake } from './port';
import { parsePeriod, type Period } from './periods';

/**
 * A take as both adapters carry it out: whole numbers alone. Credits are counted in millionths; a bucket is a debt in
 * nanoseconds of refilling (GCRA), so that a call costs `everyNs` and time pays back 1,000 a microsecond, without a fraction.
 */
export type Rule =
  | {
      readonly kind: 'bucket';
      readonly name: LimitName;
      readonly field: string;
      readonly capacity: number;
      readonly everyNs: number;
      readonly shadow: boolean;
    }
  | {
      readonly kind: 'window';
      readonly name: LimitName;
      readonly period: Period;
      readonly limit: number;
      readonly shadow: boolean;
    }
  | { readonly kind: 'slots'; readonly name: LimitName; readonly limit: number; readonly shadow: boolean };
export type BucketRule = Extract<Rule, { kind: 'bucket' }>;
export type SlotsRule = Extract<Rule, { kind: 'slots' }>;

/** What the ledger says of a period: its number and the millionths counted in it; undefined = unknown. */
export type Seed = { readonly period: number; readonly count: number } | undefined;

export interface Order {
  /** Whose counters: also the hash tag's slot. */
  readonly slot: string;
  /** The take's name within the slot. */
  readonly member: string;
  readonly cost: number;
  readonly leaseMs: number;
  /** How long the take is remembered. */
  readonly rememberMs: number;
  /** What it costs each bucket. */
  readonly calls: number;
  /** Under which an earlier call was refused. */
  readonly ticket: string | undefined;
  readonly rules: readonly Rule[];
  readonly seeds: Readonly<Record<Period, Seed>>;
}

/** A take on a shared key. */
export interface SharedOrder extends Omit<Order, 'rules'> {
  readonly rules: readonly [BucketRule, ...SlotsRule[]];
  readonly tenant: string;
  readonly takeId: string;
  /** Thousandths. */
  readonly weight: number;
  readonly priority: Priority;
}

/** A rule's use, as the adapters report it: millionths for windows, calls or slots for the others. */
export interface Use {
  readonly used: number;
  readonly resetMicros: number;
}

export const MICRO = 1_000_000;
const MAX_COST = 1e6;
/** Of one take on a key. */
const MAX_CALLS = 1_000;
export const MAX_CREDITS = 4e9;
export const MAX_CAPACITY = 1e9;
export const MAX_FILL_SECONDS = 30 * 86_400;
const MAX_LEASE_MS = 86_400_000;
const MAX_PAUSE_MS = 3_600_000;
/** Past its lease a take is remembered a little longer, for the settlement that comes late. */
const REMEMBER_SLACK_MS = 60_000;

/** Orders are written out member by member, without spreading others into them: they are made for every call, and that costs ten times as much. */
export function tenantOrder(take: TenantTake): Order {
  const { limits, ledger } = take;
  return {
    slot: tenantSlot(take.tenant, take.project),
    member: name('takeId', take.takeId),
    cost: credits('cost', take.cost, MAX_COST),
    leaseMs: lease(limits.leaseMs),
    rememberMs: limits.leaseMs + REMEMBER_SLACK_MS,
    calls: 1,
    ticket: ticketOf(take),
    rules: rulesOf(limits, take.endpoint),
    seeds: {
      day: ledger && seed('day', ledger.day, ledger.dayCredits),
      month: ledger && seed('month', ledger.month, ledger.monthCredits),
    },
  };
}

/** Limits are made anew when a plan or an override changes, and not for each call. */
const known = new WeakMap<TenantLimits, Map<string, readonly Rule[]>>();

function rulesOf(limits: TenantLimits, endpoint: string): readonly Rule[] {
  let ofEndpoints = known.get(limits);
  if (!ofEndpoints) known.set(limits, (ofEndpoints = new Map()));
  // an endpoint without a bucket of its own has the rules of all others like it
  const key = Object.hasOwn(limits.endpointBuckets ?? {}, endpoint) ? endpoint : '';
  let rules = ofEndpoints.get(key);
  if (!rules) ofEndpoints.set(key, (rules = newRules(limits, endpoint)));
  return rules;
}

function newRules(limits: TenantLimits, endpoint: string): readonly Rule[] {
  const shadow = (limit: LimitName) => limits.shadow?.includes(limit) ?? false;
  const rules: Rule[] = [];
  if (limits.bucket) rules.push(bucketRule('tenant-bucket', 'tenant', limits.bucket, shadow('tenant-bucket')));
  const ofEndpoint = Object.hasOwn(limits.endpointBuckets ?? {}, endpoint)
    ? limits.endpointBuckets?.[endpoint]
    : undefined;
  if (ofEndpoint) rules.push(bucketRule('endpoint-bucket', `endpoint:${name('endpoint', endpoint)}`, ofEndpoint, shadow('endpoint-bucket')));
  if (limits.dailyCredits !== undefined) rules.push(windowRule('daily-quota', 'day', limits.dailyCredits, shadow('daily-quota')));
  if (limits.monthlyCredits !== undefined) rules.push(windowRule('monthly-quota', 'month', limits.monthlyCredits, shadow('monthly-quota')));
  for (const { period, credits } of limits.budgets ?? []) rules.push(windowRule('budget', period, credits, shadow('budget')));
  if (limits.concurrency !== undefined) rules.push(slotsRule('concurrency', limits.concurrency, shadow('concurrency')));
  return rules;
}

export function keyOrder(take: KeyTake): Order & Pick<SharedOrder, 'rules'> {
  return {
    slot: keySlot(take.keyId),
    member: keyMember(take),
    cost: 0,
    leaseMs: lease(take.limits.leaseMs),
    rememberMs: take.limits.leaseMs + REMEMBER_SLACK_MS,
    calls: callsOf(take),
    ticket: ticketOf(take),
    rules: keyRules(take.limits),
    seeds: NO_SEEDS,
  };
}

export function sharedOrder(take: KeyTake, { weight, priority }: Share): SharedOrder {
  const thousandths = Math.round(weight * 1000);
  if (!(thousandths >= 1 && thousandths <= 1e9)) throw outOfRange('weight', 'a number from 0.001 to 1e6', weight);
  return {
    slot: keySlot(take.keyId),
    member: keyMember(take),
    cost: 0,
    leaseMs: lease(take.limits.leaseMs),
    rememberMs: take.limits.leaseMs + REMEMBER_SLACK_MS,
    calls: callsOf(take),
    ticket: ticketOf(take),
    rules: keyRules(take.limits),
    seeds: NO_SEEDS,
    tenant: take.tenant,
    takeId: take.takeId,
    weight: thousandths,
    priority,
  };
}

const NO_SEEDS: Order['seeds'] = { day: undefined, month: undefined };

function callsOf({ calls = 1 }: KeyTake): number {
  if (wholeNumber('calls', calls, MAX_CALLS) === 0) throw invalid('calls must be at least 1.', { calls });
  return calls;
}

const ticketOf = ({ ticket }: Pick<TenantTake, 'ticket'>): string | undefined => (ticket === undefined ? undefined : name('ticket', ticket));

const knownOfKeys = new WeakMap<KeyLimits, SharedOrder['rules']>();

function keyRules(limits: KeyLimits): SharedOrder['rules'] {
  let rules = knownOfKeys.get(limits);
  if (rules === undefined) {
    const bucket = bucketRule('upstream-key', 'key', limits.bucket, false);
    const { concurrency } = limits;
    rules = concurrency === undefined ? [bucket] : [bucket, slotsRule('upstream-key-concurrency', concurrency, false)];
    knownOfKeys.set(limits, rules);
  }
  return rules;
}

/** Where a take lives. On a key's slot its name ends with the tenant: nobody meets another tenant's take by its id. */
export const place = (ref: TakeRef): { slot: string; member: string } =>
  ref.slot === 'tenant'
    ? { slot: tenantSlot(ref.tenant, ref.project), member: name('takeId', ref.takeId) }
    : { slot: keySlot(ref.keyId), member: keyMember(ref) };

const keyMember = ({ tenant, takeId }: Pick<KeyTake, 'tenant' | 'takeId'>): string => `${name('takeId', takeId)} ${knownTenant(tenant)}`;

/** The names of slots, made once: a text that is put together anew has to be hashed anew wherever it is looked for. */
class SlotNames {
  private readonly names = new Map<string, Map<string, string>>();

  constructor(private readonly make: (one: string, other: string) => string) {}

  of(one: string, other: string): string {
    let ofOne = this.names.get(one);
    const known = ofOne?.get(other);
    if (known !== undefined) return known;
    const made = this.make(one, other);
    if (this.names.size >= MOST_NAMES || (ofOne?.size ?? 0) >= MOST_NAMES) this.names.clear();
    if (ofOne === undefined || this.names.size === 0) this.names.set(one, (ofOne = new Map()));
    ofOne.set(other, made);
    return made;
  }
}
const MOST_NAMES = 10_000;
const tenantSlots = new SlotNames((tenant, project) => `{${name('tenant', tenant)}}:${name('project', project)}`);
const keySlots = new SlotNames((keyId) => `{${name('keyId', keyId)}}`);
const tenants = new SlotNames((tenant) => name('tenant', tenant));
const tenantSlot = (tenant: string, project: string): string => tenantSlots.of(tenant, project);
const knownTenant = (tenant: string): string => tenants.of(tenant, '');

export const keySlot = (keyId: string): string => keySlots.of(keyId, '');

/** @throws AppError `invalid-request` unless it is 1 ms to an hour. Whole, rounded up. */
export const pauseMs = (forMs: number): number => Math.max(1, wholeNumber('forMs', Math.ceil(forMs), MAX_PAUSE_MS));

/** @throws AppError `invalid-request` unless it is a number of credits from 0 to 1e6. Answers millionths. */
export const settledCredits = (value: number): number => credits('credits', value, MAX_COST);

/** Whole milliseconds, of a ticket that is a name. */
export function keptFor(ticket: string, forMs: number): number {
  name('ticket', ticket);
  return wholeNumber('forMs', Math.ceil(forMs), MAX_LEASE_MS);
}

const LIMITED_BY: Record<LimitName, LimitedBy> = {
  'tenant-bucket': 'tenant-bucket',
  'endpoint-bucket': 'tenant-bucket',
  'daily-quota': 'daily-quota',
  'monthly-quota': 'monthly-quota',
  budget: 'budget',
  concurrency: 'concurrency',
  'upstream-key': 'upstream-key',
  'upstream-key-concurrency': 'upstream-key',
  'fair-share': 'fair-share',
};
export const limitedBy = (name: LimitName): LimitedBy => LIMITED_BY[name];

export function standings(rules: readonly Rule[], uses: readonly Use[]): readonly Standing[] {
  const all: Standing[] = [];
  for (let i = 0; i < rules.length; i++) {
    const [rule, use] = [rules[i], uses[i]];
    if (rule && use) all.push(standing(rule, use));
  }
  return all;
}

function standing(rule: Rule, { used, resetMicros }: Use): Standing {
  const { name } = rule;
  const resetMs = Math.ceil(resetMicros / 1000);
  switch (rule.kind) {
    case 'bucket': {
      const { capacity, everyNs } = rule;
      const policyWindow = Math.ceil((capacity * everyNs) / 1e9);
      return { name, unit: 'calls', limit: capacity, used, remaining: Math.max(0, capacity - used), resetMs, policyWindow };
    }
    case 'window': {
      const { limit, period } = rule;
      // the difference is taken in whole millionths: 0.3 - 0.1 must remain 0.2
      const remaining = Math.max(0, limit - used) / MICRO;
      return { name, unit: 'credits', limit: limit / MICRO, used: used / MICRO, remaining, resetMs, policyWindow: period === 'day' ? 86_400 : null };
    }
    case 'slots':
      return { name, unit: 'slots', limit: rule.limit, used, remaining: Math.max(0, rule.limit - used), resetMs, policyWindow: null };
  }
}

function bucketRule(limit: LimitName, field: string, { capacity, refillPerSecond }: Bucket, shadow: boolean): BucketRule {
  wholeNumber(`${limit} capacity`, capacity, MAX_CAPACITY);
  const everyNs = Math.round(1e9 / refillPerSecond);
  if (!(refillPerSecond > 0) || everyNs < 1 || (Math.max(1, capacity) * everyNs) / 1e9 > MAX_FILL_SECONDS)
    throw invalid(`The ${limit}'s refillPerSecond must be more than 0, at most 1e9, and fill the bucket within 30 days.`, {
      limit,
      refillPerSecond,
    });
  return { kind: 'bucket', name: limit, field, capacity, everyNs, shadow };
}

const windowRule = (limit: LimitName, period: Period, of: number, shadow: boolean): Rule => ({
  kind: 'window',
  name: limit,
  period,
  limit: credits(limit, of, MAX_CREDITS),
  shadow,
});

const slotsRule = (limit: LimitName, of: number, shadow: boolean): SlotsRule => ({
  kind: 'slots',
  name: limit,
  limit: wholeNumber(limit, of, MAX_CAPACITY),
  shadow,
});

function lease(leaseMs: number): number {
  if (wholeNumber('leaseMs', leaseMs, MAX_LEASE_MS) === 0) throw invalid('leaseMs must be at least 1.', { leaseMs });
  return leaseMs;
}

/** That long a take that is closed is known as closed: who repeats a take or tells its end twice does so within seconds. */
const REMEMBER_CLOSED_MS = 30_000;

/** @param untilMicros until when it would have been remembered */
export const closedUntilMicros = (untilMicros: number, nowMicros: number): number => Math.min(untilMicros, nowMicros + REMEMBER_CLOSED_MS * 1000);

/**
 * When a lease that is taken now ends of itself: up to a sixteenth of its length later than it says, so that of however many calls in flight there
 * are few different ends to remember.
 */
export function leaseEndMicros(nowMicros: number, leaseMs: number): number {
  const grain = Math.max(1, Math.floor((leaseMs * 1000) / 16));
  return Math.ceil((nowMicros + leaseMs * 1000) / grain) * grain;
}

function seed(kind: Period, text: string, counted: number): Seed {
  const period = parsePeriod(kind, text);
  if (period === undefined) throw invalid(`The ledger's ${kind} is no UTC ${kind}.`, { [kind]: text });
  return { period, count: Math.min(credits(`${kind}Credits`, counted, Number.MAX_SAFE_INTEGER / MICRO), MAX_CREDITS * MICRO) };
}

function credits(what: string, value: number, max: number): number {
  if (!(value >= 0 && value <= max)) throw outOfRange(what, `a number of credits from 0 to ${max}`, value);
  return Math.round(value * MICRO);
}

function wholeNumber(what: string, value: number, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max) throw outOfRange(what, `a whole number from 0 to ${max}`, value);
  return value;
}

// Braces would move the hash tag; what is longer is no id.
function name(what: string, value: string): string {
  if (!/^[^{}\s]{1,200}$/.test(value)) throw outOfRange(what, '1 to 200 characters without braces or white space', value);
  return value;
}

const outOfRange = (what: string, expected: string, value: unknown): AppError =>
  invalid(`${what} must be ${expected}.`, { [what]: String(value) });

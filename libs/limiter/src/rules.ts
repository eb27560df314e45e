import { AppError, invalid } from '@weir/kernel';
import type { Bucket, KeyTake, LimitedBy, LimitName, Priority, Share, Standing, TakeRef, TenantLimits, TenantTake } from './port';
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

export function tenantOrder(take: TenantTake): Order {
  const { limits, ledger } = take;
  return {
    ...place({ slot: 'tenant', ...take }),
    cost: credits('cost', take.cost, MAX_COST),
    ...lease(limits.leaseMs),
    calls: 1,
    ticket: take.ticket === undefined ? undefined : name('ticket', take.ticket),
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
  const rules: Rule[] = [bucketRule('tenant-bucket', 'tenant', limits.bucket, shadow('tenant-bucket'))];
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
  const { limits, calls = 1 } = take;
  const bucket = bucketRule('upstream-key', 'key', limits.bucket, false);
  const { concurrency } = limits;
  if (wholeNumber('calls', calls, MAX_CALLS) === 0) throw invalid('calls must be at least 1.', { calls });
  return {
    ...place({ slot: 'key', ...take }),
    cost: 0,
    ...lease(limits.leaseMs),
    calls,
    ticket: take.ticket === undefined ? undefined : name('ticket', take.ticket),
    rules: concurrency === undefined ? [bucket] : [bucket, slotsRule('upstream-key-concurrency', concurrency, false)],
    seeds: { day: undefined, month: undefined },
  };
}

export function sharedOrder(take: KeyTake, { weight, priority }: Share): SharedOrder {
  const thousandths = Math.round(weight * 1000);
  if (!(thousandths >= 1 && thousandths <= 1e9)) throw outOfRange('weight', 'a number from 0.001 to 1e6', weight);
  return { ...keyOrder(take), tenant: take.tenant, takeId: take.takeId, weight: thousandths, priority };
}

/** Where a take lives. On a key's slot its name ends with the tenant: nobody meets another tenant's take by its id. */
export function place(ref: TakeRef): { slot: string; member: string } {
  const takeId = name('takeId', ref.takeId);
  return ref.slot === 'tenant'
    ? { slot: `{${name('tenant', ref.tenant)}}:${name('project', ref.project)}`, member: takeId }
    : { slot: keySlot(ref.keyId), member: `${takeId} ${name('tenant', ref.tenant)}` };
}

export const keySlot = (keyId: string): string => `{${name('keyId', keyId)}}`;

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

export const standings = (rules: readonly Rule[], uses: readonly Use[]): readonly Standing[] =>
  rules.flatMap((rule, i) => (uses[i] ? [standing(rule, uses[i])] : []));

function standing(rule: Rule, { used, resetMicros }: Use): Standing {
  const resetMs = Math.ceil(resetMicros / 1000);
  const of = (unit: Standing['unit'], limit: number, use: number, policyWindow: number | null): Standing => ({
    name: rule.name,
    unit,
    limit,
    used: use,
    remaining: Math.max(0, limit - use),
    resetMs,
    policyWindow,
  });
  switch (rule.kind) {
    case 'bucket':
      return of('calls', rule.capacity, used, Math.ceil((rule.capacity * rule.everyNs) / 1e9));
    case 'window':
      // the difference is taken in whole millionths: 0.3 - 0.1 must remain 0.2
      return {
        ...of('credits', rule.limit / MICRO, used / MICRO, rule.period === 'day' ? 86_400 : null),
        remaining: Math.max(0, rule.limit - used) / MICRO,
      };
    case 'slots':
      return of('slots', rule.limit, used, null);
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

function lease(leaseMs: number): { leaseMs: number; rememberMs: number } {
  if (wholeNumber('leaseMs', leaseMs, MAX_LEASE_MS) === 0) throw invalid('leaseMs must be at least 1.', { leaseMs });
  return { leaseMs, rememberMs: leaseMs + REMEMBER_SLACK_MS };
}

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

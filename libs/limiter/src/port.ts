/** A token bucket over calls: `capacity` at once, then `refillPerSecond`. A capacity of 0 closes it. */
export interface Bucket {
  /** Whole calls, 0 to 1e9. */
  readonly capacity: number;
  /** More than 0; may be a fraction (200 a minute is 200 / 60). From empty to full in at most 30 days. */
  readonly refillPerSecond: number;
}

/** A ceiling in credits that the tenant set for itself, over the same calendar period (UTC) as the quotas. */
export interface Budget {
  readonly credits: number;
  readonly period: 'day' | 'month';
}

/** What a tenant may do. An absent limit does not limit. */
export interface TenantLimits {
  readonly bucket: Bucket;
  /** By endpoint, beside the tenant's bucket. */
  readonly endpointBuckets?: Readonly<Record<string, Bucket>> | undefined;
  /** Credits a day and a month, both in UTC. */
  readonly dailyCredits?: number | undefined;
  readonly monthlyCredits?: number | undefined;
  readonly budget?: Budget | undefined;
  /** Calls in flight. A slot that nobody gives back ends after `leaseMs`, which must be longer than the longest call. */
  readonly concurrency?: number | undefined;
  readonly leaseMs: number;
}

/** What an upstream key may do, whoever uses it. */
export interface KeyLimits {
  readonly bucket: Bucket;
  readonly concurrency?: number | undefined;
  readonly leaseMs: number;
}

/**
 * What metering has counted. A counter of the store that is below it is raised to it: a store that lost its memory is seeded
 * again and never begins at zero. A day or month that has passed counts as nothing used since.
 */
export interface Ledger {
  /** `2026-11-24`, UTC. */
  readonly day: string;
  readonly dayCredits: number;
  /** `2026-11`, UTC. */
  readonly month: string;
  readonly monthCredits: number;
}

/** Step 1. Asked again under the same `takeId` with a higher cost, it takes the difference alone. */
export interface TenantTake {
  readonly tenant: string;
  readonly project: string;
  /** One per call; the name under which it is given back or settled. */
  readonly takeId: string;
  readonly endpoint: string;
  /** Credits, 0 to 1e6, exact to a millionth. */
  readonly cost: number;
  readonly limits: TenantLimits;
  /** Undefined = nobody knows: refused, unless the store still has its own count. */
  readonly ledger?: Ledger | undefined;
}

/** Step 2: one attempt on an upstream key. */
export interface KeyTake {
  readonly keyId: string;
  readonly tenant: string;
  readonly project: string;
  /** One per attempt. */
  readonly takeId: string;
  readonly limits: KeyLimits;
}

export type TakeRef =
  | { readonly slot: 'tenant'; readonly tenant: string; readonly project: string; readonly takeId: string }
  | { readonly slot: 'key'; readonly keyId: string; readonly tenant: string; readonly takeId: string };

/** The names of the policies, as in `RateLimit-Policy`. */
export type LimitName =
  | 'tenant-bucket'
  | 'endpoint-bucket'
  | 'daily-quota'
  | 'monthly-quota'
  | 'budget'
  | 'concurrency'
  | 'upstream-key'
  | 'upstream-key-concurrency';

/** The public word of a refusal; `unknown-ledger` is no limit but a call that nobody could account for. */
export type LimitedBy =
  'tenant-bucket' | 'daily-quota' | 'monthly-quota' | 'budget' | 'concurrency' | 'upstream-key' | 'unknown-ledger';

/** One limit as it stands after the decision. */
export interface Standing {
  readonly name: LimitName;
  readonly unit: 'calls' | 'credits' | 'slots';
  readonly limit: number;
  /** May be above `limit`: a settlement can cost more than was taken, and a limit can be lowered while in use. */
  readonly used: number;
  readonly remaining: number;
  /** Until nothing of it is used, if nobody calls meanwhile: a full bucket, the next day. 0 for slots, which have no time. */
  readonly resetMs: number;
  /** Seconds; null where the limit has no window of one length (a month, slots). */
  readonly policyWindow: number | null;
}

export interface Admitted {
  readonly admitted: true;
  readonly limits: readonly Standing[];
}

export interface Refused {
  readonly admitted: false;
  readonly limitedBy: LimitedBy;
  /** The limit that takes longest to allow the call, which is the one that is named; null with `unknown-ledger`. */
  readonly policy: LimitName | null;
  /** A call that comes then is admitted, if nobody else took it. null: never, under these limits (it costs more than the whole). */
  readonly retryAfterMs: number | null;
  readonly limits: readonly Standing[];
}

export type Admission = Admitted | Refused;

/**
 * Where limits are counted. Each step is one atomic operation on one slot, all or nothing; a refusal spends nothing. The time is
 * the store's own. Every method rejects with AppError `invalid-request` (400) before the store is asked, and `limiter-unavailable`
 * (503) when it does not answer.
 */
export interface LimiterStore {
  /** Step 1. A repeated take id has the same decision, as long as it is remembered; `take-closed` (409) once it was closed. */
  takeTenant(take: TenantTake): Promise<Admission>;
  /** Step 2. */
  takeKey(take: KeyTake): Promise<Admission>;
  /** As if it had never been taken: refused later, or failed before anything was sent. Repeated, or unknown: nothing happens. */
  giveBack(take: TakeRef): Promise<void>;
  /** The call is over: frees the slot and corrects the quotas to `credits`, what it really cost. Repeated, or unknown: nothing happens. */
  settle(take: TakeRef, credits: number): Promise<void>;
  /** Each limit and its use now; takes nothing. Credits that nobody knows of show as 0. */
  inspectTenant(of: Omit<TenantTake, 'takeId' | 'cost'>): Promise<readonly Standing[]>;
  inspectKey(of: Pick<KeyTake, 'keyId' | 'limits'>): Promise<readonly Standing[]>;
  close(): Promise<void>;
}

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
  readonly bucket?: Bucket | undefined;
  /** By endpoint, beside the tenant's bucket. */
  readonly endpointBuckets?: Readonly<Record<string, Bucket>> | undefined;
  /** Credits a day and a month, both in UTC. */
  readonly dailyCredits?: number | undefined;
  readonly monthlyCredits?: number | undefined;
  /** One a period at most: the tightest counts. */
  readonly budgets?: readonly Budget[] | undefined;
  /** Calls in flight. A slot that nobody gives back ends after `leaseMs`, which must be longer than the longest call. */
  readonly concurrency?: number | undefined;
  readonly leaseMs: number;
  /** Limits that are decided and counted and refuse nobody: what would have been refused is in `shadowed`. */
  readonly shadow?: readonly LimitName[] | undefined;
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
  /** Of an earlier refusal: what was kept under it (see `keep`) is this take's. One that holds nothing any more is ignored. */
  readonly ticket?: string | undefined;
}

/** Of one tenant's calls, a due slot goes to an interactive one before a batch one. */
export type Priority = 'interactive' | 'batch';

/** A tenant's place among those who share a key. */
export interface Share {
  /** More than 0, to a thousandth, at most 1e6. Under contention a tenant has weight / (sum of the weights of those who want) of the key. */
  readonly weight: number;
  readonly priority: Priority;
}

/** Step 2: one attempt on an upstream key. */
export interface KeyTake {
  readonly keyId: string;
  readonly tenant: string;
  readonly project: string;
  /** One per attempt. A refusal's ticket is this id. */
  readonly takeId: string;
  readonly limits: KeyLimits;
  /** Absent: the key is one tenant's own, and who comes first is served. All takes of a key have one, or none. */
  readonly share?: Share | undefined;
  /** Of an earlier refusal by this key. One that is no longer good is ignored. */
  readonly ticket?: string | undefined;
  /** Upstream calls, whole, 1 (the default) to the bucket's capacity and at most 1,000. */
  readonly calls?: number | undefined;
}

export interface TenantRef {
  readonly slot: 'tenant';
  readonly tenant: string;
  readonly project: string;
  readonly takeId: string;
}
export interface KeyRef {
  readonly slot: 'key';
  readonly keyId: string;
  readonly tenant: string;
  readonly takeId: string;
}
export type TakeRef = TenantRef | KeyRef;
export type SlotRef = Pick<KeyTake, 'keyId' | 'tenant'> & { readonly ticket: string };

/** The names of the policies, as in `RateLimit-Policy`. */
export type LimitName =
  | 'tenant-bucket'
  | 'endpoint-bucket'
  | 'daily-quota'
  | 'monthly-quota'
  | 'budget'
  | 'concurrency'
  | 'upstream-key'
  | 'upstream-key-concurrency'
  | 'fair-share';

/** The public word of a refusal. No limit of ours: `upstream`, while a key is paused, and `unknown-ledger`, a call that nobody could account for. */
export type LimitedBy =
  'tenant-bucket' | 'daily-quota' | 'monthly-quota' | 'budget' | 'concurrency' | 'upstream-key' | 'fair-share' | 'upstream' | 'unknown-ledger';

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
  /** Limits in shadow mode that would have refused. */
  readonly shadowed: readonly LimitName[];
  /** What the take came by, on a shared key: a slot that was kept for its tenant, its tenant's share, or what nobody else wanted. */
  readonly by?: 'slot' | 'share' | 'free' | undefined;
}

export interface Refused {
  readonly admitted: false;
  readonly limitedBy: LimitedBy;
  /** The limit that takes longest to allow the call, which is the one that is named; null with `unknown-ledger` and `upstream`. */
  readonly policy: LimitName | null;
  /** A call that comes then is admitted, if nobody else took it. null: never, under these limits (it costs more than the whole). */
  readonly retryAfterMs: number | null;
  readonly limits: readonly Standing[];
  readonly shadowed: readonly LimitName[];
  /** On a shared key: a slot that is kept for this call, from `retryAfterMs` on. */
  readonly slot: Slot | null;
}

/** A slot on a shared key. Who brings its ticket from `retryAfterMs` on and within `graceMs` has it. */
export interface Slot {
  /** The take's id. Good for its tenant on its key alone. */
  readonly ticket: string;
  /** After `retryAfterMs`; then the slot is given to others. */
  readonly graceMs: number;
  /**
   * Whether the call is admitted for certain when it comes in time with the ticket (the key's concurrency aside, of which nothing can be
   * promised). A batch call's slot is its tenant's own interactive call's if one comes: then the ticket may hold a later one.
   */
  readonly promised: boolean;
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
  /**
   * Step 2 refused with a slot: what step 1 took of buckets and quotas is kept for `forMs` for the call that brings the ticket, its place
   * among the calls in flight is free at once. Whoever does not come has the credits given back. Repeated, or unknown: nothing happens.
   */
  keep(take: TenantRef, ticket: string, forMs: number): Promise<void>;
  /** Nobody will come for this slot: others have it at once, and it never counted. Repeated, or unknown: nothing happens. */
  drop(slot: SlotRef): Promise<void>;
  /**
   * The upstream refused a call with the key: for so long, 1 ms to an hour, nobody's take of it is admitted, whatever it was promised. Of
   * several pauses the one that ends last counts.
   */
  pause(keyId: string, forMs: number): Promise<void>;
  /** The call is over: frees the slot and corrects the quotas to `credits`, what it really cost. Repeated, or unknown: nothing happens. */
  settle(take: TakeRef, credits: number): Promise<void>;
  /** Each limit and its use now; takes nothing. Credits that nobody knows of show as 0. */
  inspectTenant(of: Omit<TenantTake, 'takeId' | 'cost'>): Promise<readonly Standing[]>;
  inspectKey(of: Pick<KeyTake, 'keyId' | 'limits'>): Promise<readonly Standing[]>;
  close(): Promise<void>;
  /** The same steps, of a store that has its answers at once: what rejects there throws here. */
  readonly atOnce?: AtOnce | undefined;
}

/** What a call asks of a store within the process, without a promise for each answer. */
export interface AtOnce {
  takeTenant(take: TenantTake): Admission;
  takeKey(take: KeyTake): Admission;
  giveBack(take: TakeRef): void;
  keep(take: TenantRef, ticket: string, forMs: number): void;
  drop(slot: SlotRef): void;
  settle(take: TakeRef, credits: number): void;
}

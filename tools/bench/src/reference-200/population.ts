import type { PlanState, PlanTerms, TenantState, UpstreamKeyState } from '@weir/contracts';
import { PLATFORM, newId, type TenantId } from '@weir/kernel';

export const TRIALS = 120;
export const OWN_KEYS = 80;
const FEWEST = 50;
const MOST = 500;
/** One in so many reads far more comments than the others: enough to meet the cap. */
const HEAVY_EVERY = 20;
const HEAVY = 15;
/** Known to everybody: of each tenant's creators one in ten is one of them. */
const FAMOUS = 1_000;

export interface Watcher {
  readonly tenant: TenantState;
  /** Numbers of the people whom it watches. */
  readonly creators: readonly number[];
  /** Comments that it asks for in a day, of each creator. */
  readonly commentsEach: number;
}

const free = { amount: '0', currency: 'EUR' };

/** What matters here of the plans of the first boot. */
const terms = (of: Partial<PlanTerms>): PlanTerms => ({
  dailyCredits: 5_000,
  monthlyCredits: null,
  bucket: { capacity: 60, refillPerSecond: 2 },
  endpointBuckets: {},
  weight: 1,
  concurrency: 5,
  maxWaitMs: 0,
  hitPrice: 0,
  coalescedPrice: 0,
  sharedCache: true,
  keyModes: ['shared', 'byo', 'hybrid'],
  fallback: false,
  trialDays: 14,
  includedCalls: 0,
  seats: 3,
  placement: 'schema',
  billing: { model: 'free', perCredit: free, perSeat: free, perMonth: free },
  ...of,
});
export const TRIAL: PlanState = { id: 'free', version: 1, archived: false, terms: terms({}) };
export const PRO: PlanState = {
  id: 'pro',
  version: 1,
  archived: false,
  terms: terms({ dailyCredits: 50_000, bucket: { capacity: 300, refillPerSecond: 10 }, weight: 4, concurrency: 50, maxWaitMs: 5_000 }),
};

/** The article's tenants: 120 on trial, 80 with keys of their own, with 50 to 500 creators each. */
export function watchers(random: () => number, now: number): Watcher[] {
  return Array.from({ length: TRIALS + OWN_KEYS }, (_, n) => {
    const trial = n < TRIALS;
    const plan = trial ? TRIAL : PRO;
    const tenant: TenantState = {
      id: newId('ten', now),
      slug: `tenant-${n}`,
      status: 'active',
      keyMode: trial ? 'shared' : 'byo',
      plan: { id: plan.id, version: plan.version },
      trialEndsAt: null,
      defaultProject: newId('prj', now),
      placement: 'schema',
      version: 1,
      registeredAt: now,
    };
    const count = FEWEST + Math.floor(random() * (MOST - FEWEST + 1));
    const creators = Array.from({ length: count }, (_, c) => (random() < 0.1 ? Math.floor(random() * FAMOUS) : FAMOUS + n * MOST + c));
    return { tenant, creators, commentsEach: n % HEAVY_EVERY === 0 ? HEAVY : Math.floor(random() * 3) };
  });
}

export const keyOf = (owner: TenantId, n: number): UpstreamKeyState => ({
  id: `key_${owner === PLATFORM ? 'platform' : owner.slice(4)}_${n}`,
  owner,
  status: 'usable',
  active: 1,
  weight: 1,
  scopes: [],
  versions: [],
});

/** xorshift: the same day each time. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

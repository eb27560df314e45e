import type { Tables } from '../tables';
import { AppError, rfc3339, utcDay, utcMonth, type Clock, type TenantId } from '@weir/kernel';
import { tenantPolicies } from '@weir/limiter';
import type { Catalog } from '@weir/upstream-catalog';
import type { Caller } from '../call/access';
import type { DataPlane } from '../call/call';
import type { KeyChoice, KeyOwner } from '../call/key-choice';
import { finishOf, type KeysRate, type Load } from './forecast';
import type { JobItem } from './job-form';

/** What a job would cost, and when it would be done: told before it is made. */
export interface Quote {
  readonly items: number;
  /** Charged to the tenant: as expected, and if nothing of it is in the cache and every page is there. */
  readonly credits: { readonly expected: number; readonly atMost: number };
  readonly expectedCacheHits: number;
  readonly key: KeyOwner;
  /** Null: not within a week. */
  readonly finishesAt: string | null;
  readonly finishBy: string;
  readonly inTime: boolean;
  /** The same in a sentence. */
  readonly verdict: string;
}

/** A backlog that is known: jobs that wait, and schedules whose time comes. */
export interface Backlog {
  readonly tenantId: TenantId;
  readonly keyOwner: KeyOwner;
  /** The catalog. */
  readonly upstream: string;
  /** ms since the epoch; undefined: it waits already. */
  readonly from: number | undefined;
  readonly calls: number;
}

export interface QuoteParts {
  readonly tables: Tables;
  readonly keysOf: DataPlane['keysOf'];
  /** When the cache's answer came from the upstream, ms; undefined: it has none. */
  readonly cachedAt: (caller: Caller, catalog: Catalog, keys: KeyChoice, item: JobItem) => Promise<number | undefined>;
  /** Of all tenants, this one's among them. */
  readonly backlogs: () => Promise<readonly Backlog[]>;
  /** Items of one job under way at once. */
  readonly concurrency: number;
  readonly clock: Clock;
}

export interface QuoteRequest {
  readonly caller: Caller;
  /** Of the items. */
  readonly catalog: Catalog;
  readonly items: readonly JobItem[];
  /** ms; how old an answer may be; undefined: as the catalog says. */
  readonly maxAgeMs: number | undefined;
  /** ms since the epoch; undefined: the end of the night. */
  readonly finishBy: number | undefined;
}

const WEEK_MS = 7 * 86_400_000;
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** What the provider says of half of its answers. */
const USUAL_LATENCY_MS = 750;
const NIGHT_ENDS_HOUR = 6;
/** Looked up in the cache; more are judged by these. */
const SAMPLE = 200;
const MOST_BACKLOGS = 2_000;

interface Queues {
  /** Calls of the tenant's other jobs. */
  readonly ahead: number;
  /** Of other tenants. */
  readonly beside: readonly Load[];
}

export function createQuote(parts: QuoteParts): (request: QuoteRequest) => Promise<Quote> {
  const { tables, clock } = parts;
  const jobPerMinute = (parts.concurrency * MINUTE_MS) / USUAL_LATENCY_MS;

  return async function quote({ caller, catalog, items, maxAgeMs, finishBy = endOfNight(clock()) }) {
    const now = clock();
    const keys = parts.keysOf(caller, catalog);
    const { hitPrice, coalescedPrice } = caller.plan.terms;
    const fresh = freshItems(items);
    const repeated = items.length - fresh.length;
    const queues = queuesOf(caller, catalog, keys, await parts.backlogs(), now);
    // in what the job would take without the cache: an answer that is there now may be too old when its turn comes
    const slowest = finish(caller, catalog, keys, callsOf(fresh), queues, now);
    const hits = Math.round((await cached(caller, catalog, keys, fresh, maxAgeMs, now, slowest)) * fresh.length);
    const perItem = creditsOf(fresh) / Math.max(1, fresh.length);
    const atMost = items.reduce((sum, { endpoint, pages }) => sum + endpoint.credits * pages, 0);
    const expected = Math.round((fresh.length - hits) * perItem + hits * hitPrice + repeated * coalescedPrice);
    const calls = (callsOf(fresh) * (fresh.length - hits)) / Math.max(1, fresh.length);
    const finishesAt = finish(caller, catalog, keys, calls, queues, now);
    const inTime = finishesAt !== undefined && finishesAt <= finishBy;
    return {
      items: items.length,
      credits: { expected, atMost: Math.max(atMost, expected) },
      expectedCacheHits: hits + repeated,
      key: keys.owner,
      finishesAt: finishesAt === undefined ? null : rfc3339(Math.round(finishesAt)),
      finishBy: rfc3339(finishBy),
      inTime,
      verdict: verdictOf(finishesAt, inTime, keys.owner),
    };
  };

  /** What waits on the same keys: ahead of the job, and beside it. */
  function queuesOf(caller: Caller, { id: upstream }: Catalog, { owner }: KeyChoice, backlogs: readonly Backlog[], now: number): Queues {
    const ofMine = backlogs.filter(({ tenantId }) => tenantId === caller.tenant.id);
    // its jobs run one after the other, whatever they wait for: what waits already is ahead
    const ahead = ofMine.reduce((sum, backlog) => sum + (backlog.from === undefined ? backlog.calls : 0), 0);
    // on keys of its own nobody else is ahead or beside it
    const others = owner === 'own' ? [] : backlogs.filter((one) => one.keyOwner === owner && one.upstream === upstream && one.tenantId !== caller.tenant.id).slice(0, MOST_BACKLOGS);
    return { ahead, beside: others.flatMap(({ tenantId, calls, from }) => loadOf(tenantId, calls, from ?? now, now) ?? []) };
  }

  function finish(caller: Caller, catalog: Catalog, keys: KeyChoice, calls: number, { ahead, beside }: Queues, now: number): number | undefined {
    const loads: [Load, ...Load[]] = [
      loadOf(caller.tenant.id, ahead + calls, now, now) ?? { queue: caller.tenant.id, from: now, calls: ahead + calls, weight: 1, perMinute: Infinity, leftToday: Infinity, perDay: Infinity },
      ...beside,
    ];
    return finishOf(loads, rateOf(catalog, keys), now, now + WEEK_MS);
  }

  function rateOf(catalog: Catalog, { candidates, owner }: KeyChoice): KeysRate {
    const rates = candidates.filter((candidate) => candidate.owner === owner).map(({ key }) => tables.ceilings.get(key.id) ?? catalog.keyRate);
    const sum = (of: 'perMinute' | 'burst') => rates.reduce((total, rate) => total + rate[of], 0);
    return { perMinute: sum('perMinute'), burst: sum('burst') };
  }

  /** By the tenant's plan, its overrides, and what metering has counted today; undefined: the tenant is not known any more. */
  function loadOf(tenantId: TenantId, calls: number, from: number, now: number): Load | undefined {
    try {
      const tenant = tables.tenant(tenantId);
      const { terms } = tables.plan(tenant.plan);
      const overrides = tables.policies.get(tenantId)?.overrides ?? [];
      const { enforced } = tenantPolicies({ terms, overrides, endpoints: [], leaseMs: 1, now });
      const { bucket, dailyCredits: perDay = Infinity, monthlyCredits: perMonth = Infinity } = enforced;
      const used = tables.quotas.get(tenantId);
      const today = perDay - (used?.day === utcDay(now) ? used.dayCredits : 0);
      const month = perMonth - (used?.month === utcMonth(now) ? used.monthCredits : 0);
      return { queue: tenantId, from, calls, weight: terms.weight, perMinute: Math.min((bucket?.refillPerSecond ?? Infinity) * 60, jobPerMinute), leftToday: Math.min(today, month), perDay: Math.min(perDay, month) };
    } catch (error) {
      if (error instanceof AppError) return undefined;
      throw error;
    }
  }

  /** The share of the items whose answer the cache has and will still have when their turn comes. */
  async function cached(
    caller: Caller,
    catalog: Catalog,
    keys: KeyChoice,
    items: readonly JobItem[],
    maxAgeMs: number | undefined,
    now: number,
    finishesAt: number | undefined,
  ): Promise<number> {
    const step = Math.max(1, Math.ceil(items.length / SAMPLE));
    const sample = items.filter((_, index) => index % step === 0);
    const takesMs = (finishesAt ?? now + DAY_MS) - now;
    const there = await Promise.all(
      sample.map(async (item, index) => {
        const acceptedMs = Math.min(maxAgeMs ?? Infinity, item.endpoint.lifetimeSeconds * 1_000);
        if (acceptedMs <= 0) return false;
        const at = await parts.cachedAt(caller, catalog, keys, item);
        return at !== undefined && at + acceptedMs > now + (takesMs * index) / sample.length;
      }),
    );
    return there.filter(Boolean).length / Math.max(1, there.length);
  }
}

/** Of equal items the first is fetched; the others have its answer, if it may be kept at all. */
function freshItems(items: readonly JobItem[]): JobItem[] {
  const seen = new Set<string>();
  return items.filter(({ endpoint, query }) => {
    if (endpoint.lifetimeSeconds === 0) return true;
    const name = `${endpoint.id}?${query}`;
    return !seen.has(name) && seen.add(name);
  });
}

export const callsOf = (items: readonly JobItem[]): number => items.reduce((sum, { pages }) => sum + pages, 0);
const creditsOf = (items: readonly JobItem[]): number => items.reduce((sum, { endpoint, pages }) => sum + endpoint.credits * pages, 0);

/** The next 06:00 UTC. */
export function endOfNight(now: number): number {
  const today = Math.floor(now / DAY_MS) * DAY_MS + NIGHT_ENDS_HOUR * 3_600_000;
  return today > now ? today : today + DAY_MS;
}

function verdictOf(finishesAt: number | undefined, inTime: boolean, owner: KeyOwner): string {
  const key = owner === 'own' ? 'this key' : "the platform's keys";
  if (finishesAt === undefined) return `Will not finish within a week on ${key}.`;
  const at = rfc3339(Math.round(finishesAt / 1_000) * 1_000).replace('.000Z', 'Z');
  return inTime ? `Will finish at about ${at}.` : `Will not finish tonight on ${key}: at about ${at}.`;
}

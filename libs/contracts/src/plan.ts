import { z } from 'zod';
import { event, record, type FactOf } from './contract';
import { KEY_MODES, PLACEMENTS, count, oneOf, text } from './fields';
import { plain } from './privacy';
import { eventsTopic, stateTopic } from './topics';

/** `{amount: "12.34", currency: "EUR"}`: a decimal string, never a float. */
export const money = () =>
  z.object({ amount: plain(z.string().regex(/^-?\d{1,12}(\.\d{1,6})?$/)), currency: plain(z.string().regex(/^[A-Z]{3}$/)) });
export type Money = { amount: string; currency: string };

const bucket = () =>
  z.object({ capacity: plain(z.number().positive().max(1e9)), refillPerSecond: plain(z.number().positive().max(1e6)) });

const credits = () => plain(z.number().int().nonnegative().max(1e12));

/**
 * What a plan's version says. Published versions never change: a tenant's price is that of the version it is on.
 */
export const planTerms = z.object({
  /** Credits a UTC day and month; null is no quota. */
  dailyCredits: plain(z.number().int().nonnegative().nullable()),
  monthlyCredits: plain(z.number().int().nonnegative().nullable()),
  bucket: bucket(),
  /** By endpoint id of the catalog. */
  endpointBuckets: plain(z.record(z.string(), bucket())),
  /** Share of a contended key, relative to the other tenants'. */
  weight: plain(z.number().positive()),
  concurrency: plain(z.number().int().positive()),
  /** How long a caller may ask to be held instead of refused. */
  maxWaitMs: count(),
  /** Credits charged for a cache hit, and for an answer shared with an identical call in flight. */
  hitPrice: credits(),
  coalescedPrice: credits(),
  /** Whether answers fetched on the platform's key may be shared with other tenants. */
  sharedCache: plain(z.boolean()),
  keyModes: plain(z.array(z.enum(KEY_MODES)).nonempty()),
  /** In hybrid mode: whether a call may fall back to the platform's key. */
  fallback: plain(z.boolean()),
  /** Days until calls on the platform's key are refused; null is no trial. */
  trialDays: plain(z.number().int().positive().nullable()),
  includedCalls: count(),
  seats: plain(z.number().int().positive().nullable()),
  placement: oneOf(...PLACEMENTS),
  billing: z.object({
    model: oneOf('free', 'flat-seat', 'seat-plus-overage', 'usage', 'own-key-fee', 'graduated', 'profiles'),
    /** Per unit of credits charged beyond what is included; per seat and per month. */
    perCredit: money(),
    perSeat: money(),
    perMonth: money(),
    /** Credits of a unit: 1,000 where `perCredit` is the price of a thousand. Shares of a unit are paid as shares. 1 when absent. */
    creditsPerUnit: plain(z.number().int().positive().max(1e9)).optional(),
    /** Whether `includedCalls` are the tenant's or each seat's; the tenant's when absent. */
    includedPer: plain(z.enum(['month', 'seat'])).optional(),
    /** Of `graduated`: each credit at the price of the tier that it falls into, first tiers first; the last has no end. */
    tiers: z.array(z.object({ upTo: plain(z.number().int().positive().nullable()), perCredit: money() })).optional(),
    /** Of `profiles`: what 1,000 profiles cost a month, each refreshed on each of its days. */
    perThousandProfiles: money().optional(),
  }),
});
export type PlanTerms = z.infer<typeof planTerms>;

/** What is wrong with terms of billing whose fields are right one by one; undefined when nothing is. */
export function billingFault({ model, tiers = [], perThousandProfiles, ...prices }: PlanTerms['billing']): string | undefined {
  const all = [prices.perCredit, prices.perSeat, prices.perMonth, ...tiers.map(({ perCredit }) => perCredit), ...(perThousandProfiles ? [perThousandProfiles] : [])];
  if (new Set(all.map(({ currency }) => currency)).size > 1) return 'the prices must be in one currency';
  if (all.some(({ amount }) => amount.startsWith('-'))) return 'a price is not negative';
  if (model === 'profiles' && perThousandProfiles === undefined) return 'the model profiles needs perThousandProfiles';
  if (model !== 'graduated') return undefined;
  const ends = tiers.map(({ upTo }) => upTo ?? Infinity);
  if (ends.at(-1) !== Infinity) return 'the model graduated needs tiers, the last of them with upTo null';
  return ends.every((end, index) => index === 0 || end > (ends[index - 1] as number)) ? undefined : 'each tier must end after the one before';
}

const topic = eventsTopic('plan');
export const planVersionDrafted = event(topic, 'plan.version-drafted', 'A version that nobody can be on yet.', {
  planId: text(),
  version: count(),
  terms: planTerms,
});
export const planVersionPublished = event(topic, 'plan.version-published', 'Tenants may be put on it; it never changes again.', {
  planId: text(),
  version: count(),
});
export const planArchived = event(topic, 'plan.archived', 'No tenant is put on it any more; those on it stay.', { planId: text() });
export type PlanEvent = FactOf<typeof planVersionDrafted | typeof planVersionPublished | typeof planArchived>;

export const planState = record(
  stateTopic('plan'),
  'plan.state',
  'One published version of a plan; the key is `<plan>@<version>`.',
  z.object({ id: text(), version: count(), archived: plain(z.boolean()), terms: planTerms }),
);
export type PlanState = z.infer<typeof planState.schema>;

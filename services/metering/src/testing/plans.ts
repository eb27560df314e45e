import type { PlanTerms } from '@weir/contracts';

const eur = (amount: string) => ({ amount, currency: 'EUR' });

/** Terms of which a spec states only what it is about. */
export const planTermsOf = (given: Partial<PlanTerms> & { billing?: Partial<PlanTerms['billing']> } = {}): PlanTerms => ({
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
  keyModes: ['shared'],
  fallback: false,
  trialDays: null,
  includedCalls: 0,
  seats: null,
  placement: 'schema',
  ...given,
  billing: { model: 'free', perCredit: eur('0'), perSeat: eur('0'), perMonth: eur('0'), ...given.billing },
});

import type { InvoiceLine, Money } from '@weir/contracts';
import type { Decimal } from 'decimal.js';
import type { BillingTerms } from '../billing/billing';
import { exactly, fromMinor, isZero, toMinor } from '../billing/money';
import { mixedCurrencies } from '../errors';
import type { Segment } from './segments';

/** What was counted in the days of a segment. */
export interface Quantities {
  /** Charged to live calls. */
  readonly credits: bigint;
  /** Taken on any of its days. */
  readonly seats: bigint;
  /** Answers of the upstream about a profile, live and usable. */
  readonly profiles: bigint;
}

export type Days = Pick<Segment, 'from' | 'to' | 'days' | 'daysOfMonth'>;

type Component = 'month' | 'seats' | 'credits' | 'profiles';

/** What each model asks money for. Credits that it does not price are listed as included, so that the quantity is always whole. */
const MODELS: Record<BillingTerms['model'], readonly Component[]> = {
  free: [],
  'flat-seat': ['month', 'seats'],
  'seat-plus-overage': ['month', 'seats', 'credits'],
  usage: ['month', 'credits'],
  'own-key-fee': ['month', 'credits'],
  graduated: ['month', 'seats', 'credits'],
  profiles: ['month', 'profiles'],
};

/**
 * Prices the days of one segment. Fees by the month, included credits and the ends of tiers go by its share of the month's days, the
 * latter two rounded down to whole credits. The quantities of the lines of credits add up to `credits`, whatever the model.
 *
 * @returns each amount rounded half up to the currency's smallest unit: nothing is rounded again where they are added
 * @throws AppError `mixed-currencies` when the prices have no one currency to be added in
 */
export function priceSegment(terms: BillingTerms, days: Days, { credits, seats, profiles }: Quantities): InvoiceLine[] {
  const currency = oneCurrency(terms);
  const line = lineOf(days, currency);
  const asks = (component: Component) => MODELS[terms.model].includes(component);
  const allowance = shareOf(BigInt(terms.includedCredits) * (terms.includedPer === 'seat' ? seats : 1n), days);
  const included = asks('credits') ? min(credits, allowance) : credits;

  return [
    ...(asks('month') && !isZero(terms.perMonth) ? [line('month', 'Base fee', 1n, terms.perMonth, { byTheMonth: true })] : []),
    ...(asks('seats') && (terms.model !== 'graduated' || !isZero(terms.perSeat)) ? [line('seats', 'Seats', seats, terms.perSeat, { byTheMonth: true })] : []),
    ...(asks('profiles') ? [profilesLine(terms, days, profiles, line)] : []),
    ...(included > 0n || !asks('credits') ? [line('credits-included', 'Credits included', included, { amount: '0.00', currency })] : []),
    ...(asks('credits') ? tiersOf(terms, days, credits - included).map(({ title, quantity, price }) => line('credits', title, quantity, price, { per: terms.creditsPerUnit ?? 1 })) : []),
  ];
}

/** A profile that is refreshed on each day of the month makes as many refreshes as it has days. */
function profilesLine({ perThousandProfiles }: BillingTerms, { daysOfMonth }: Days, profiles: bigint, line: Line): InvoiceLine {
  if (perThousandProfiles === undefined) throw new TypeError('the model profiles has no price');
  return line('profiles', `Profile refreshes; 1,000 profiles daily make ${1_000 * daysOfMonth}`, profiles, perThousandProfiles, { per: 1_000 * daysOfMonth });
}

interface Tier {
  readonly title: string;
  readonly quantity: bigint;
  readonly price: Money;
}

/** Each credit in the tier that it falls into; one tier without an end where the model has none. */
function tiersOf({ model, tiers, perCredit }: BillingTerms, days: Days, credits: bigint): Tier[] {
  if (model !== 'graduated') return [{ title: 'Credits', quantity: credits, price: perCredit }];
  let begin = 0n;
  return (tiers ?? []).flatMap(({ upTo, perCredit: price }, index) => {
    const end = upTo === null ? credits : min(credits, shareOf(BigInt(upTo), days));
    const quantity = end > begin ? end - begin : 0n;
    const title = `Credits, tier ${index + 1}${upTo === null ? '' : ` (up to ${upTo} a month)`}`;
    begin += quantity;
    return quantity > 0n || (index === 0 && credits === 0n) ? [{ title, quantity, price }] : [];
  });
}

type Line = ReturnType<typeof lineOf>;

const lineOf =
  ({ from, to, days, daysOfMonth }: Days, currency: string) =>
  (item: InvoiceLine['item'], description: string, quantity: bigint, unitPrice: Money, { per = 1, byTheMonth = false } = {}): InvoiceLine => {
    const whole = exactly(quantity).times(exactly(unitPrice.amount));
    const amount: Decimal = byTheMonth ? whole.times(days).div(daysOfMonth) : whole.div(per);
    const share = byTheMonth && days < daysOfMonth ? `${days}/${daysOfMonth}` : null;
    return { item, description, from, to, quantity: quantity.toString(), unitPrice, per, share, amount: fromMinor(toMinor(amount, currency), currency) };
  };

const shareOf = (whole: bigint, { days, daysOfMonth }: Days): bigint => (whole * BigInt(days)) / BigInt(daysOfMonth);

function oneCurrency({ perCredit, perSeat, perMonth, tiers = [], perThousandProfiles }: BillingTerms): string {
  const prices = [perCredit, perSeat, perMonth, ...tiers.map((tier) => tier.perCredit), ...(perThousandProfiles === undefined ? [] : [perThousandProfiles])];
  const currencies = [...new Set(prices.map(({ currency }) => currency))];
  if (currencies.length > 1) throw mixedCurrencies(currencies);
  return perCredit.currency;
}

const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);

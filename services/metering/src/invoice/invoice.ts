import type { Money } from '@weir/contracts';
import type { BillingTerms } from '../billing/billing';
import { isZero, times, total } from '../billing/money';
import { mixedCurrencies } from '../errors';

export interface InvoiceLine {
  readonly item: 'month' | 'seats' | 'credits-included' | 'credits';
  readonly description: string;
  /** A whole number, as text like every number that money is made of. */
  readonly quantity: string;
  readonly unitPrice: Money;
  readonly amount: Money;
}

export interface PricedInvoice {
  readonly lines: readonly InvoiceLine[];
  readonly total: Money;
}

type Component = 'month' | 'seats' | 'credits';

/** What each model asks money for. Credits that it does not price are listed as included, so that the quantity is always whole. */
const MODELS: Record<BillingTerms['model'], readonly Component[]> = {
  free: [],
  'flat-seat': ['month', 'seats'],
  'seat-plus-overage': ['month', 'seats', 'credits'],
  usage: ['month', 'credits'],
  'own-key-fee': ['month', 'credits'],
};

/**
 * Prices a month. The quantities of the lines of credits add up to `credits`, whatever the model.
 *
 * @param credits charged to live calls in the month
 * @throws AppError `mixed-currencies` when the prices have no one currency to be added in
 */
export function priceMonth(terms: BillingTerms, { credits, seats }: { credits: bigint; seats: bigint }): PricedInvoice {
  const currency = oneCurrency(terms);
  const asks = (component: Component) => MODELS[terms.model].includes(component);
  const included = asks('credits') ? min(credits, BigInt(terms.includedCredits)) : credits;
  const nothing: Money = { amount: '0.00', currency };

  const lines = [
    ...(asks('month') && !isZero(terms.perMonth) ? [line('month', 'Base fee', 1n, terms.perMonth)] : []),
    ...(asks('seats') ? [line('seats', 'Seats', seats, terms.perSeat)] : []),
    ...(included > 0n || !asks('credits') ? [line('credits-included', 'Credits included', included, nothing)] : []),
    ...(asks('credits') ? [line('credits', 'Credits', credits - included, terms.perCredit)] : []),
  ];
  return {
    lines,
    total: total(
      lines.map(({ amount }) => amount),
      currency,
    ),
  };
}

const line = (item: InvoiceLine['item'], description: string, quantity: bigint, unitPrice: Money): InvoiceLine => ({
  item,
  description,
  quantity: quantity.toString(),
  unitPrice,
  amount: times(unitPrice, quantity),
});

function oneCurrency({ perCredit, perSeat, perMonth }: BillingTerms): string {
  const currencies = [...new Set([perCredit.currency, perSeat.currency, perMonth.currency])];
  if (currencies.length > 1) throw mixedCurrencies(currencies);
  return perCredit.currency;
}

const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);

import type { Money } from '@weir/contracts';
import { Decimal } from 'decimal.js';

/** Wide enough for the largest price times the largest count, with the digits of a month's share behind the point. */
const Exact = Decimal.clone({ precision: 60, rounding: Decimal.ROUND_HALF_UP });

/** Digits behind the point of a currency's smallest unit, as ISO 4217 has them: 2 for EUR, 0 for JPY, 3 for BHD. */
export function minorDigits(currency: string): number {
  const { maximumFractionDigits } = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions();
  return maximumFractionDigits ?? 2;
}

/** A count or a price as a number that does not round by itself. */
export const exactly = (value: string | bigint | number): Decimal => new Exact(typeof value === 'bigint' ? value.toString() : value);

/** An amount in whole smallest units, rounded half up (away from zero), where it may be kept and added. */
export const toMinor = (amount: Decimal, currency: string): bigint => BigInt(new Exact(amount).times(new Exact(10).pow(minorDigits(currency))).toFixed(0));

/** `{amount: "12.30", currency: "EUR"}` of 1230n. */
export const fromMinor = (minor: bigint, currency: string): Money => {
  const digits = minorDigits(currency);
  return { amount: exactly(minor).div(exactly(10).pow(digits)).toFixed(digits), currency };
};

export const minorOf = ({ amount, currency }: Money): bigint => toMinor(exactly(amount), currency);

export const isZero = ({ amount }: Money): boolean => exactly(amount).isZero();

/** Of one currency, each in whole smallest units. */
export const total = (amounts: readonly Money[], currency: string): Money => fromMinor(amounts.reduce((sum, each) => sum + minorOf(each), 0n), currency);

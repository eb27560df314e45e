import type { Money } from '@weir/contracts';

/** Decimal digits that an amount may have; amounts are whole numbers of the millionth part of the currency's unit. */
const SCALE = 6;
const UNIT = 10n ** BigInt(SCALE);

/** `12.34` as 12340000n. The text is one that the contract `money` takes: at most six decimal digits. */
export function parseAmount(text: string): bigint {
  const [whole = '0', fraction = ''] = text.replace('-', '').split('.');
  const value = BigInt(whole) * UNIT + BigInt(fraction.padEnd(SCALE, '0'));
  return text.startsWith('-') ? -value : value;
}

/** Exact, and with two decimal digits at least: `12.30`, `0.004`. */
export function formatAmount(value: bigint): string {
  const digits = (value < 0n ? -value : value).toString().padStart(SCALE + 1, '0');
  const fraction = digits.slice(-SCALE).replace(/0{1,4}$/, '');
  return `${value < 0n ? '-' : ''}${digits.slice(0, -SCALE)}.${fraction}`;
}

/** A price times a whole number of things: exact, since neither has more digits than the scale. */
export const times = (price: Money, quantity: bigint): Money => ({
  amount: formatAmount(parseAmount(price.amount) * quantity),
  currency: price.currency,
});

export const isZero = ({ amount }: Money): boolean => parseAmount(amount) === 0n;

/** Of one currency. */
export const total = (amounts: readonly Money[], currency: string): Money => ({
  amount: formatAmount(amounts.reduce((sum, { amount }) => sum + parseAmount(amount), 0n)),
  currency,
});

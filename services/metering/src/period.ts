import { rfc3339 } from '@weir/kernel';
import { z } from 'zod';

/** A UTC month, `2026-11`: what an invoice is for. */
export const period = z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, 'must be a month such as 2026-11');
/** A UTC day, `2026-11-24`. */
export const day = z.iso.date('must be a day such as 2026-11-24');

/** The first day of a month, and the first of the month after: `[from, before)`. */
export function daysOf(month: string): { from: string; before: string } {
  const [year = 0, number = 1] = month.split('-').map(Number);
  return { from: `${month}-01`, before: rfc3339(Date.UTC(year, number, 1)).slice(0, 10) };
}

/** The instant at which a UTC day or month ends, RFC 3339. */
export function endOfDay(text: string): string {
  return rfc3339(Date.parse(`${text}T00:00:00Z`) + 86_400_000);
}

export function endOfMonth(text: string): string {
  return `${daysOf(text).before}T00:00:00.000Z`;
}

/** Days from one to another, both counted. */
export const spanDays = (from: string, to: string): number => (Date.parse(to) - Date.parse(from)) / 86_400_000 + 1;

/** Months from one to another, both counted; none when the first is later. */
export function monthsBetween(from: string, to: string): string[] {
  const months: string[] = [];
  for (let month = from; month <= to; month = daysOf(month).before.slice(0, 7)) months.push(month);
  return months;
}

/** The UTC day before. */
export const dayBefore = (text: string): string => rfc3339(Date.parse(`${text}T00:00:00Z`) - 86_400_000).slice(0, 10);

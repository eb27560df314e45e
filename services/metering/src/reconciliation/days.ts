import { utcDay } from '@weir/kernel';
import type { Compared, Finding, Line, Span, Standing } from './compare';

/** A statement that names no calls has sums alone: credits of the lines of a UTC day beside those of our attempts of that day. */
export function compareDays(span: Span, lines: readonly Line[], attempts: readonly Standing[], keyId: string): Compared {
  const within = ({ at }: { at: number }) => at >= span.from && at < span.to;
  const [theirs, ours] = [lines.filter(within), attempts.filter(within)];
  const listed = byDay(theirs);
  const settled = byDay(ours.filter(({ state }) => state === 'settled' || state === 'taken'));
  const unsettled = byDay(ours.filter(({ state }) => state === 'unsettled'));
  const findings = [...new Set([...listed.keys(), ...settled.keys(), ...unsettled.keys()])].sort().flatMap((day): Finding[] => {
    const [upstream, sure, open] = [listed.get(day) ?? 0, settled.get(day) ?? 0, unsettled.get(day) ?? 0];
    // what is open may have been taken or not
    if (upstream >= sure && upstream <= sure + open) return [];
    const explanation = `On ${day} the upstream lists ${upstream} credits and we counted ${sure}, with ${open} more unsettled. The statement names no calls, so that it cannot be said which.`;
    return [{ class: 'sum-differs', tenantId: '', requestId: day, attempt: 0, keyId, ourCredits: sure, upstreamCredits: upstream, explanation }];
  });
  return { lines: theirs.length, attempts: ours.length, upstreamCredits: total(listed), settledCredits: total(settled), unsettledCredits: total(unsettled), findings };
}

function byDay(all: readonly { readonly at: number; readonly credits: number }[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { at, credits } of all) sums.set(utcDay(at), (sums.get(utcDay(at)) ?? 0) + credits);
  return sums;
}

const total = (sums: ReadonlyMap<string, number>): number => [...sums.values()].reduce((sum, credits) => sum + credits, 0);

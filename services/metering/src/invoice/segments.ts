import type { PlanRef } from '@weir/contracts';
import { utcDay } from '@weir/kernel';
import { dayBefore, daysOf, spanDays } from '../period';

/** Days of a month in which one plan held: UTC days, both counted. */
export interface Segment {
  readonly plan: PlanRef;
  readonly from: string;
  readonly to: string;
  readonly days: number;
  readonly daysOfMonth: number;
}

/** From when on a plan holds. */
export interface PlanChange {
  /** ms since the epoch. */
  readonly at: number;
  readonly plan: PlanRef;
}

/**
 * A month by the plans that held in it. A day belongs to the plan that holds at its end, so a change counts from its own day on, and the
 * last one of a day counts. A month begins with the tenant's first day when it was not there before; none of it is billed when it came later.
 *
 * @param changes in the order of their times; none: the plan of now holds for all of the month
 */
export function segmentsOf(month: string, changes: readonly PlanChange[], now: PlanRef): Segment[] {
  const { from, before } = daysOf(month);
  const last = dayBefore(before);
  const daysOfMonth = spanDays(from, last);
  if (changes.length === 0) return [{ plan: now, from, to: last, days: daysOfMonth, daysOfMonth }];

  const plans = new Map<string, PlanRef>();
  for (const { at, plan } of changes) if (utcDay(at) <= last) plans.set(utcDay(at) < from ? from : utcDay(at), plan);
  const begins = [...plans.keys()];
  const segments = begins.map((begin, index) => {
    const next = begins[index + 1];
    const to = next === undefined ? last : dayBefore(next);
    return { plan: plans.get(begin) as PlanRef, from: begin, to, days: spanDays(begin, to), daysOfMonth };
  });
  return joined(segments);
}

/** There and back again within the month's days, or twice to the same plan: one segment where it changed nothing. */
function joined(segments: readonly Segment[]): Segment[] {
  return segments.reduce<Segment[]>((before, segment) => {
    const last = before.at(-1);
    if (last === undefined || last.plan.id !== segment.plan.id || last.plan.version !== segment.plan.version) return [...before, segment];
    return [...before.slice(0, -1), { ...last, to: segment.to, days: last.days + segment.days }];
  }, []);
}

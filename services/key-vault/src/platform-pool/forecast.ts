/** Credits that the upstream said were left, at a time in ms. */
export interface Balance {
  readonly at: number;
  readonly credits: number;
}

export interface Forecast {
  readonly left: number;
  /** Credits that go in a day; null while too little is known. */
  readonly perDay: number | null;
  /** ms; null: not at this rate. */
  readonly endsAt: number | null;
}

const DAY_MS = 86_400_000;
/** Less than this says nothing of a day. */
const LEAST_SPAN_MS = 600_000;

/**
 * When credits end at the rate at which they went: what was spent between one balance and the next, over the time of all of them. A purchase
 * between two is no negative spending: that step counts its time alone.
 *
 * @param balances oldest first
 */
export function forecast(balances: readonly Balance[]): Forecast | undefined {
  const [first, last] = [balances[0], balances.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const span = last.at - first.at;
  if (span < LEAST_SPAN_MS) return { left: last.credits, perDay: null, endsAt: last.credits === 0 ? last.at : null };
  const spent = balances.slice(1).reduce((sum, { credits }, i) => sum + Math.max(0, (balances[i]?.credits ?? credits) - credits), 0);
  const perDay = (spent / span) * DAY_MS;
  return { left: last.credits, perDay: Math.round(perDay), endsAt: perDay === 0 ? null : Math.round(last.at + (last.credits / perDay) * DAY_MS) };
}

/** Nobody is believed who says less or more: a hasty retry helps nobody, and one bad header must not close a key for a day. */
const SHORTEST_MS = 1_000;
const LONGEST_MS = 60_000;

export interface RetryAfter {
  /** From 1 s to 60 s. */
  readonly ms: number;
  /** Whether the upstream said so, and not nonsense or nothing. */
  readonly stated: boolean;
}

/** `Retry-After` of the upstream (RFC 9110, 10.2.3): whole seconds or an HTTP date. */
export function readRetryAfter(header: string | undefined, nowMs: number): RetryAfter {
  const text = header?.trim() ?? '';
  const ms = /^\d{1,15}$/.test(text) ? Number(text) * 1_000 : dateMs(text) - nowMs;
  if (Number.isNaN(ms)) return { ms: SHORTEST_MS, stated: false };
  return { ms: Math.min(Math.max(ms, SHORTEST_MS), LONGEST_MS), stated: true };
}

/** Date.parse takes `-5` for a year; a date of HTTP begins with a day of the week. */
const dateMs = (text: string): number => (/^[A-Z][a-z]{2}/.test(text) ? Date.parse(text) : NaN);

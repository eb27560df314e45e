/** Nobody is believed who says less or more: a hasty retry helps nobody, and one bad header must not close a key for a day. */
const SHORTEST_MS = 1_000;
const LONGEST_MS = 60_000;

/**
 * `Retry-After` of the upstream (RFC 9110, 10.2.3) in ms, from 1 s to 60 s: whole seconds or an HTTP date. What is absent or nonsense
 * counts as the shortest.
 */
export function retryAfterMs(header: string | undefined, nowMs: number): number {
  if (header === undefined) return SHORTEST_MS;
  const text = header.trim();
  const ms = /^\d{1,15}$/.test(text) ? Number(text) * 1_000 : dateMs(text) - nowMs;
  return Number.isNaN(ms) ? SHORTEST_MS : Math.min(Math.max(ms, SHORTEST_MS), LONGEST_MS);
}

/** Date.parse takes `-5` for a year; a date of HTTP begins with a day of the week. */
const dateMs = (text: string): number => (/^[A-Z][a-z]{2}/.test(text) ? Date.parse(text) : NaN);

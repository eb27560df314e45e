/** Milliseconds since the epoch. Passed on as a value, so that a test can own the time. */
export type Clock = () => number;
export const systemClock: Clock = () => Date.now();

/** RFC 3339, UTC, with milliseconds. */
export const rfc3339 = (ms: number): string => new Date(ms).toISOString();

/** The UTC day, `2026-11-24`, and month, `2026-11`, of an instant. Quotas and invoices count by them. */
export const utcDay = (ms: number): string => rfc3339(ms).slice(0, 10);
export const utcMonth = (ms: number): string => rfc3339(ms).slice(0, 7);

export const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });

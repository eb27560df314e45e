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

/** An answer that did not come in time; what comes after that is nobody's. */
export class TooLate extends Error {
  constructor(ms: number) {
    super(`no answer within ${ms} ms`);
  }
}

/** The answer, or TooLate after so long. What arrived while this process was busy itself is read before it is called late. */
export function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let immediate: NodeJS.Immediate | undefined;
    const timer = setTimeout(() => (immediate = setImmediate(() => reject(new TooLate(ms)))), ms);
    const done = () => {
      clearTimeout(timer);
      clearImmediate(immediate);
    };
    answer.then(
      (value) => {
        done();
        resolve(value);
      },
      (error: unknown) => {
        done();
        reject(error as Error);
      },
    );
  });
}

import { sleep } from '@weir/kernel';

const WITHIN_MS = 60_000;

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- whatever a service answers
type Body = any;
export type Operator = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Body>;

/** The HTTP API as the operator's own program would use it: an answer that is no success is an error. */
export const operatorOf =
  (url: string, token: string): Operator =>
  async (method, path, body, headers = {}) => {
    const answer = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`);
    return text === '' ? undefined : (JSON.parse(text) as Body);
  };

/** Asks until it is so; what was found last is the error. */
export async function until<T>(ask: () => Promise<T>, holds: (found: T) => boolean): Promise<T> {
  for (const deadline = Date.now() + WITHIN_MS; ; await sleep(200)) {
    const found = await ask();
    if (holds(found)) return found;
    if (Date.now() > deadline) throw new Error(`not within ${WITHIN_MS} ms, at last: ${JSON.stringify(found)?.slice(0, 300)}`);
  }
}

import { AppError, sleep } from '@weir/kernel';

/** Weir's HTTP API as the demo uses it, which is as anybody may. */
export interface Api {
  readonly url: string;
  readonly token: string;
}

export interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

const TIMEOUT_MS = 20_000;

export async function send({ url, token }: Api, method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const text = await response.text();
  return { status: response.status, body: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {} };
}

/**
 * Sends until it is answered: what a service has not heard of yet, it soon will. The same Idempotency-Key each time, so that it is
 * done once.
 *
 * @throws AppError `demo-failed` on an answer that waiting does not change
 */
export async function settle(api: Api, method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply['body']> {
  for (let left = 100; ; left--) {
    const { status, body: answer } = await send(api, method, path, body, headers);
    if (status < 300) return answer;
    const passing = status >= 500 || [401, 404, 409, 429].includes(status);
    if (!passing || left === 0) {
      throw new AppError('demo-failed', 'internal', `the demo could not be set up: ${method} ${path} answered ${status} ${String(answer['code'] ?? '')} ${String(answer['detail'] ?? '')}`);
    }
    await sleep(100);
  }
}

/** Looks through every page of a list. */
export async function find(api: Api, path: string, wanted: (item: Record<string, unknown>) => boolean): Promise<Record<string, unknown> | undefined> {
  let cursor: unknown;
  do {
    const page = await settle(api, 'GET', `${path}?limit=100${typeof cursor === 'string' ? `&cursor=${encodeURIComponent(cursor)}` : ''}`);
    const found = (page['data'] as Record<string, unknown>[]).find(wanted);
    if (found !== undefined) return found;
    cursor = page['nextCursor'];
  } while (typeof cursor === 'string');
  return undefined;
}

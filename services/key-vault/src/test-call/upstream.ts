import { Agent, request } from 'undici';
import type { OwnCall } from '@weir/upstream-catalog';

/** What became of one call. What the upstream wrote is looked at and never quoted: an answer may repeat the key. */
export type Answer =
  | {
      readonly is: 'answered';
      readonly status: number;
      /** undefined: no JSON. */ readonly body: unknown;
      readonly tookMs: number;
    }
  /** Nothing reached the upstream. */
  | { readonly is: 'not-sent'; readonly code: string }
  /** It was sent, and what came of it is unknown. */
  | { readonly is: 'no-answer'; readonly code: string };

export interface Upstream {
  call(call: OwnCall, options: { key: string; requestId: string }): Promise<Answer>;
  /** What stands at a path, for a question that costs nothing; undefined: no answer, or none that says yes. */
  read(path: string, key: string): Promise<unknown>;
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 1_048_576;

/** Errors of the time before the first byte of a request, by undici's and the system's codes. */
const BEFORE_SENDING =
  /^(UND_ERR_CONNECT_TIMEOUT|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ERR_TLS_\w+|CERT_\w+|\w+_CERT(_\w+)?|ERR_SSL_\w+)$/;

/** @param timeoutMs for the whole of one call, connecting included */
export function openUpstream(options: { url: string; header: string; timeoutMs: number }): Upstream {
  const { url, header, timeoutMs } = options;
  const dispatcher = new Agent({
    connect: { timeout: timeoutMs },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: MAX_BODY_BYTES,
    connections: 8,
  });

  return {
    async call({ endpoint, query }, { key, requestId }) {
      const start = performance.now();
      let status: number | undefined;
      try {
        const answer = await request(new URL(`${endpoint.path.slice(1)}?${new URLSearchParams(query)}`, withSlash(url)), {
          dispatcher,
          headers: { [header]: key, accept: 'application/json', 'x-request-id': requestId },
          signal: AbortSignal.timeout(timeoutMs),
        });
        status = answer.statusCode;
        const text = await answer.body.text();
        return { is: 'answered', status, body: parsed(text), tookMs: Math.round(performance.now() - start) };
      } catch (error) {
        // an answer whose body cannot be had is an answer still: the upstream counts it by its status
        if (status !== undefined)
          return { is: 'answered', status, body: undefined, tookMs: Math.round(performance.now() - start) };
        const code = codeOf(error);
        return { is: BEFORE_SENDING.test(code) ? 'not-sent' : 'no-answer', code };
      }
    },
    async read(path, key) {
      try {
        const { statusCode, body } = await request(new URL(path.slice(1), withSlash(url)), {
          dispatcher,
          headers: { [header]: key, accept: 'application/json' },
          signal: AbortSignal.timeout(timeoutMs),
        });
        const text = await body.text();
        return statusCode === 200 ? parsed(text) : undefined;
      } catch {
        return undefined;
      }
    },
    close: () => dispatcher.destroy(),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const withSlash = (url: string): string => (url.endsWith('/') ? url : `${url}/`);

function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: string };
  return typeof code === 'string' ? code : name === 'TimeoutError' ? 'timeout' : 'broken';
}

import { isUtf8 } from 'node:buffer';
import { checkShape, saysOutOfCredits, type Catalog, type Endpoint, type Mismatch } from '@weir/upstream-catalog';
import { readRetryAfter, type RetryAfter } from './retry-after';

/** What came back from one attempt. */
export interface Received {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly retryAfter: string | undefined;
  /** Of a header that says how many calls the key is granted. */
  readonly statedRate?: string | undefined;
  /** Decompressed. */
  readonly body: Buffer;
}

/** What an answer of the upstream means. */
export type Verdict =
  /** As the catalog promises. */
  | { readonly is: 'answer'; readonly parsed: unknown }
  /** The upstream's own 4xx, such as no such user: the caller's to read. */
  | { readonly is: 'passed-on' }
  | { readonly is: 'unauthorized' }
  | { readonly is: 'depleted' }
  | { readonly is: 'rate-limited'; readonly retryAfter: RetryAfter }
  /** Trouble of the upstream that it says itself; `retryable`: another attempt costs nothing and may succeed. */
  | { readonly is: 'failed'; readonly why: string; readonly retryable: boolean }
  /** Status 200 with something that nobody can use: the upstream takes its credits, the tenant does not pay. */
  | { readonly is: 'unintelligible'; readonly why: string; readonly mismatches: readonly Mismatch[] };

const RETRYABLE = [502, 503, 504];

export function classify(catalog: Catalog, endpoint: Endpoint, received: Received, nowMs: number): Verdict {
  const { status } = received;
  if (status === 200) return judgeBody(catalog, endpoint, received.body);
  if (status === 401) return { is: 'unauthorized' };
  if (saysOutOfCredits(catalog, status, undefined)) return { is: 'depleted' };
  if (status === 429) return { is: 'rate-limited', retryAfter: readRetryAfter(received.retryAfter, nowMs) };
  if (status >= 400 && status < 500) return { is: 'passed-on' };
  return { is: 'failed', why: `status ${status}`, retryable: RETRYABLE.includes(status) };
}

function judgeBody(catalog: Catalog, endpoint: Endpoint, body: Buffer): Verdict {
  // a decoder would mend what is broken, and the tenant would get other bytes than the check has seen
  if (!isUtf8(body)) return unintelligible('not UTF-8');
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    return unintelligible('not JSON');
  }
  if (saysOutOfCredits(catalog, 200, parsed)) return { is: 'depleted' };
  if (mayPoison(body) && poisons(parsed)) return unintelligible('a member called __proto__');
  const wrong = checkShape(endpoint, parsed);
  const [first] = wrong;
  if (first !== undefined) return unintelligible(`${first.path} should be ${first.expected} and is ${first.found}`, wrong);
  return { is: 'answer', parsed };
}

const unintelligible = (why: string, mismatches: readonly Mismatch[] = []): Verdict => ({ is: 'unintelligible', why, mismatches });

/** The member's name in the text, plain or with an escape somewhere in it: only then the whole body is walked. */
const mayPoison = (body: Buffer): boolean => body.includes('__proto__') || (body.includes('\\u00') && ESCAPED.some((text) => body.includes(text)));
const ESCAPED = ['\\u005f', '\\u005F', '\\u0070', '\\u0072', '\\u006f', '\\u006F', '\\u0074'];

/** Whether any object has a member `__proto__`, which sets a prototype in whoever copies it carelessly. No recursion: depth is the sender's. */
function poisons(parsed: unknown): boolean {
  const waiting: unknown[] = [parsed];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value !== 'object' || value === null) continue;
    if (Object.hasOwn(value, '__proto__')) return true;
    for (const inner of Object.values(value)) waiting.push(inner);
  }
  return false;
}

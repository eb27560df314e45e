import { AppError } from '@weir/kernel';

/** What an item's error means for it and for its job. */
export type Trouble =
  /** The same item once more, after that long. */
  | { readonly is: 'wait'; readonly ms: number; readonly because: string }
  /** The upstream failed at it: again a few times, then it is given up. */
  | { readonly is: 'failed'; readonly code: string }
  /** Another try would end the same way. */
  | { readonly is: 'hopeless'; readonly code: string };

const SHORT_MS = 1_000;
const LONG_MS = 600_000;

/** Somebody has to do something first: a key, a plan, an operator. */
const WAITS_FOR_SOMEBODY = new Set([
  'tenant-suspended',
  'trial-ended',
  'upstream-key-missing',
  'upstream-key-invalid',
  'upstream-credits-depleted',
  'simulator-missing',
]);

export function troubleOf(error: unknown): Trouble {
  if (!(error instanceof AppError)) return { is: 'failed', code: 'internal' };
  const { code, category, retryAfter } = error;
  if (category === 'rate-limited') return { is: 'wait', ms: Math.max(SHORT_MS, (retryAfter ?? 60) * 1_000), because: String(error.details['limitedBy'] ?? code) };
  if (WAITS_FOR_SOMEBODY.has(code)) return { is: 'wait', ms: LONG_MS, because: code };
  if (category === 'unavailable') return { is: 'wait', ms: Math.max(SHORT_MS, (retryAfter ?? 5) * 1_000), because: code };
  if (category === 'bad-gateway' || category === 'timeout') return { is: 'failed', code };
  return { is: 'hopeless', code };
}

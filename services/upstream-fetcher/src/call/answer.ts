import type { Standing } from '@weir/limiter';
import type { KeyOwner } from './key-choice';

/** What goes back to the caller. */
export interface Answer {
  readonly status: number;
  /** As the upstream sent it, byte for byte. */
  readonly body: Buffer;
  readonly contentType: string;
}

/** Whoever can say how the limits stand: they are worked out when somebody asks. */
export interface Limited {
  readonly limits: readonly Standing[];
}
const UNLIMITED: Limited = { limits: [] };

/** What the headers of every answer say, a refusal's too; filled in step by step as the call goes. */
export interface Shown {
  /** The endpoint's id, once the path is known to be one's. */
  endpoint: string;
  /** Charged to the tenant. */
  credits: number;
  key: KeyOwner | undefined;
  cache: 'hit' | 'miss' | 'coalesced' | 'stale' | undefined;
  limits: Limited;
  /** ms since the epoch when a kept answer came from the upstream. */
  fetchedAt: number | undefined;
  /** The answer of an earlier call under the same Idempotency-Key. */
  replayed: boolean;
  /** Of a refusal: what to come back with. */
  ticket: string | undefined;
}

export const nothingShown = (): Shown => ({
  endpoint: '',
  credits: 0,
  key: undefined,
  cache: undefined,
  limits: UNLIMITED,
  fetchedAt: undefined,
  replayed: false,
  ticket: undefined,
});

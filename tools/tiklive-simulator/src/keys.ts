import { tiklive } from '@weir/upstream-catalog';
import { z } from 'zod';
import type { Journal } from './journal';
import { TokenBucket, type MonotonicMs } from './token-bucket';

const keyText = z.string().regex(/^[!-~]{1,200}$/, 'a key is 1 to 200 visible ASCII characters');
const credits = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER).nullable();
const perMinute = z.number().positive().max(1e9).nullable();
const burst = z.number().int().positive().max(1e9);
const scopes = z.array(z.enum(tiklive.scopes as [string, ...string[]]));

export const newKey = z.strictObject({
  key: keyText,
  /** The balance; null: without end. */
  credits: credits.default(null),
  /** Sustained calls a minute; null: unlimited. */
  perMinute: perMinute.default(tiklive.keyRate.perMinute),
  burst: burst.default(tiklive.keyRate.burst),
  scopes: scopes.default([...tiklive.scopes]),
  /** A suspended key is answered like an unknown one: 401. */
  suspended: z.boolean().default(false),
});
export const keyChange = z.strictObject({ credits, perMinute, burst, scopes, suspended: z.boolean() }).partial();

export type NewKey = z.input<typeof newKey>;
export type Key = z.output<typeof newKey>;
export type KeyChange = z.output<typeof keyChange>;

/** Always there: where Weir sends the calls of its test tokens. */
export const TEST_KEY: Key = { key: 'sim_test_key', credits: null, perMinute: null, burst: 1, scopes: [...tiklive.scopes], suspended: false };

/** The keys of this upstream, what each may do and what it has left. */
export class Keys {
  private readonly byText = new Map<string, Key>([[TEST_KEY.key, TEST_KEY]]);
  private readonly buckets = new Map<string, TokenBucket>();

  constructor(
    private readonly journal: Journal,
    private readonly now: MonotonicMs,
  ) {}

  find(text: string): Key | undefined {
    return this.byText.get(text);
  }

  list(): Key[] {
    return [...this.byText.values()];
  }

  set(key: Key): Key {
    this.restore(key);
    this.journal.write({ t: 'key', ...key });
    return key;
  }

  remove(text: string): boolean {
    if (text === TEST_KEY.key || !this.byText.delete(text)) return false;
    this.buckets.delete(text);
    this.journal.write({ t: 'key-removed', key: text });
    return true;
  }

  /** 0 when the key's rate allows a call now, otherwise the milliseconds until it does. */
  takeFromRate(key: Key): number {
    if (key.perMinute === null) return 0;
    let bucket = this.buckets.get(key.key);
    if (bucket === undefined) this.buckets.set(key.key, (bucket = new TokenBucket(key.perMinute, key.burst, this.now)));
    return bucket.take();
  }

  /** What was taken: `cost`, or nothing where the balance does not cover it. The ledger's line is what keeps it. */
  charge(key: Key, cost: number): number {
    if (key.credits === null) return cost;
    if (key.credits < cost) return 0;
    this.byText.set(key.key, { ...key, credits: key.credits - cost });
    return cost;
  }

  /** As read from the journal: what is written there already is not written again. */
  restore(key: Key): void {
    const before = this.byText.get(key.key);
    this.byText.set(key.key, key);
    if (before?.perMinute !== key.perMinute || before.burst !== key.burst) this.buckets.delete(key.key);
  }

  restoreRemoval(text: string): void {
    this.byText.delete(text);
  }
}

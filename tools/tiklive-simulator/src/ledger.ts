import type { Journal } from './journal';

/** One attempt as the upstream saw it. `credits` 0: it was not charged. */
export interface LedgerEntry {
  /** Grows by one an entry, over restarts too. */
  readonly seq: number;
  /** As the caller gave it, known or not; empty when there was none. */
  readonly key: string;
  /** The endpoint's id in the catalog, or `balance`. */
  readonly endpoint: string;
  readonly credits: number;
  /** What was answered; 0 when the connection was cut before an answer began. */
  readonly status: number;
  /** The two halves of the caller's `X-Request-Id: <requestId>/<attempt>`. */
  readonly requestId: string | null;
  readonly attempt: number | null;
  /** RFC 3339, when the answer was ready. */
  readonly at: string;
}

/** All attempts of a key since the ledger was last cleared, those that are no longer listed included. */
export interface Total {
  readonly key: string;
  readonly attempts: number;
  readonly charged: number;
  readonly credits: number;
}

/** Every attempt, in the order in which they were answered; the newest `limit` of them can be listed. */
export class Ledger {
  private entries: LedgerEntry[] = [];
  private readonly totalsByKey = new Map<string, Total>();
  private next = 1;

  constructor(
    private readonly journal: Journal,
    private readonly limit: number,
  ) {}

  record(attempt: Omit<LedgerEntry, 'seq'>): LedgerEntry {
    const entry = { seq: this.next, ...attempt };
    this.restore(entry);
    this.journal.write({ t: 'call', ...entry });
    return entry;
  }

  /** Entries after `after`, oldest first, of one key or of all; `next` is the `after` of the following page, null at the end. */
  page(query: { key?: string | undefined; after?: number | undefined; limit: number }): { data: LedgerEntry[]; next: number | null } {
    const data: LedgerEntry[] = [];
    for (let i = this.firstAfter(query.after ?? 0); i < this.entries.length; i++) {
      const entry = this.entries[i] as LedgerEntry;
      if (query.key !== undefined && entry.key !== query.key) continue;
      if (data.length === query.limit) return { data, next: (data.at(-1) as LedgerEntry).seq };
      data.push(entry);
    }
    return { data, next: null };
  }

  totals(key?: string): Total[] {
    const totals = [...this.totalsByKey.values()];
    return key === undefined ? totals : totals.filter((total) => total.key === key);
  }

  clear(key?: string): void {
    this.restoreClearing(key);
    this.journal.write({ t: 'ledger-cleared', key: key ?? null });
  }

  restore(entry: LedgerEntry): void {
    this.next = Math.max(this.next, entry.seq + 1);
    this.entries.push(entry);
    // a tenth at a time: dropping one an entry would move the whole list each time
    if (this.entries.length > this.limit * 1.1) this.entries = this.entries.slice(-this.limit);
    const { attempts = 0, charged = 0, credits = 0 } = this.totalsByKey.get(entry.key) ?? {};
    this.totalsByKey.set(entry.key, {
      key: entry.key,
      attempts: attempts + 1,
      charged: charged + (entry.credits > 0 ? 1 : 0),
      credits: credits + entry.credits,
    });
  }

  restoreClearing(key: string | undefined): void {
    this.entries = key === undefined ? [] : this.entries.filter((entry) => entry.key !== key);
    if (key === undefined) this.totalsByKey.clear();
    else this.totalsByKey.delete(key);
  }

  /** Absolute, after the entries that they count: how a compacted journal says what is listed no longer. */
  restoreTotals(next: number, totals: readonly Total[]): void {
    this.next = next;
    this.totalsByKey.clear();
    for (const total of totals) this.totalsByKey.set(total.key, total);
  }

  *lines(): Iterable<object> {
    for (const entry of this.entries) yield { t: 'call', ...entry };
    yield { t: 'totals', next: this.next, totals: this.totals() };
  }

  private firstAfter(seq: number): number {
    let [low, high] = [0, this.entries.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.entries[middle] as LedgerEntry).seq <= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

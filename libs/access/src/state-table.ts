import type { BusRecord } from '@weir/bus';

interface Entry<T> {
  readonly version: number;
  /** undefined: a tombstone, kept so that an older record on its way cannot bring the thing back. */
  readonly value: T | undefined;
  readonly at: number;
}

const TOMBSTONE_MS = 24 * 3_600_000;

export interface StateChangeListener<T> {
  (key: string, value: T | undefined, before: T | undefined): void;
}

/**
 * A compacted topic as a table in memory. Only a greater version is applied, so a re-emission changes nothing and an old record
 * re-opens nothing.
 */
export class StateTable<T> {
  private readonly entries = new Map<string, Entry<T>>();
  private readonly listeners: StateChangeListener<T>[] = [];
  private tombstones = 0;

  constructor(
    readonly topic: string,
    private readonly parse: (json: unknown) => T,
  ) {}

  get(key: string): T | undefined {
    return this.entries.get(key)?.value;
  }

  /** Whether anything was ever heard of the key, a tombstone too. */
  knows(key: string): boolean {
    return this.entries.has(key);
  }

  *values(): IterableIterator<T> {
    for (const entry of this.entries.values()) if (entry.value !== undefined) yield entry.value;
  }

  get size(): number {
    return this.entries.size - this.tombstones;
  }

  onChange(listener: StateChangeListener<T>): void {
    this.listeners.push(listener);
  }

  /**
   * A body that cannot be read leaves nothing under its key: what it says may be a suspension, so what stood before must not go on.
   *
   * @throws ZodError or SyntaxError on such a body, after that
   */
  apply(record: BusRecord, now: number): void {
    const version = Number(record.headers['weir-version'] ?? 0);
    const before = this.entries.get(record.key);
    if (before !== undefined && before.version >= version) return;

    let value: T | undefined;
    try {
      value = record.value === null ? undefined : this.parse(JSON.parse(record.value.toString('utf8')));
    } finally {
      this.entries.set(record.key, { version, value, at: now });
      if (before !== undefined && before.value === undefined) this.tombstones--;
      if (value === undefined) this.tombstones++;
      for (const listener of this.listeners) listener(record.key, value, before?.value);
    }
  }

  dropOldTombstones(now: number): void {
    for (const [key, entry] of this.entries) {
      if (entry.value !== undefined || now - entry.at < TOMBSTONE_MS) continue;
      this.entries.delete(key);
      this.tombstones--;
    }
  }
}

import { randomBytes } from 'node:crypto';
import type { Bus, BusRecord, OutgoingRecord, TopicSpec } from '../port';

/** What a suite is run against: servers with nothing of the suite in them. */
export interface BusServers {
  /** A bus with connections of its own, as another process would have it; with a parking lot. */
  open(onError?: (error: Error) => void): Bus;
  /** A record from a producer that is none of ours, on a topic whose operator lets in larger ones than we send. */
  putLarge(record: OutgoingRecord): Promise<void>;
  /** What an operator does: releases all that is parked of a group. */
  release(group: string): Promise<void>;
  /** Of a group, in the order of the log. */
  parked(group: string): Promise<ReadonlyArray<{ key: string; value: string; state: string }>>;
}

/** A bus per test, and others that close with it; topics and groups under fresh names. */
export class Rig {
  private readonly opened: Bus[] = [];
  readonly errors: Error[] = [];
  readonly bus: Bus;

  constructor(readonly servers: BusServers) {
    this.bus = this.open();
  }

  open(): Bus {
    const bus = this.servers.open((error) => void this.errors.push(error));
    this.opened.push(bus);
    return bus;
  }

  async topic(spec: Partial<TopicSpec> = {}): Promise<string> {
    const name = fresh('topic');
    await this.bus.ensureTopics([
      { name, partitions: 3, cleanup: 'delete', retentionMs: 3_600_000, minInsyncReplicas: 1, ...spec },
    ]);
    return name;
  }

  group(): string {
    return fresh('group');
  }

  async close(): Promise<void> {
    await Promise.all(this.opened.map((bus) => bus.close()));
  }
}

const fresh = (what: string) => `weir.${what}-${randomBytes(5).toString('hex')}`;

export const text = (topic: string, key: string, value: string | null, headers: Record<string, string> = {}): OutgoingRecord => ({
  topic,
  key,
  value: value === null ? null : Buffer.from(value),
  headers,
});

/** `count` records over `keys` keys, their values counting up: `0`, `1`, … */
export const series = (topic: string, count: number, keys: number, from = 0): OutgoingRecord[] =>
  Array.from({ length: count }, (_, i) => text(topic, `key-${(from + i) % keys}`, String(from + i)));

/** A handler that notes what it is given. */
export class Recorder {
  readonly records: BusRecord[] = [];
  readonly batches: (readonly BusRecord[])[] = [];

  readonly handle = async (batch: readonly BusRecord[]): Promise<void> => {
    this.batches.push(batch);
    this.records.push(...batch);
  };

  values(key?: string): string[] {
    return this.records
      .filter((record) => key === undefined || record.key === key)
      .map((record) => record.value?.toString() ?? '(tombstone)');
  }
}

/** The order in which values were first seen: a record may be delivered again, never for the first time after a later one. */
export const firstSeen = (values: readonly string[]): string[] => [...new Set(values)];

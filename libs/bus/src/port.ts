import type { AppError } from '@weir/kernel';

/**
 * The bus: an ordered, partitioned log with at-least-once delivery. Kafka in production, Postgres embedded; both pass the suite in
 * testing/conformance.ts. Values are bytes from end to end: nobody parses a record on the way.
 */
export interface OutgoingRecord {
  readonly topic: string;
  /** Records of one key keep their order. */
  readonly key: string;
  /** null is a tombstone. */
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

export interface BusRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly key: string;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /** ms since the epoch, set by the publisher or the broker. */
  readonly timestamp: number;
}

export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  readonly cleanup: 'delete' | 'compact';
  /** ms; -1 keeps for ever. */
  readonly retentionMs: number;
  readonly minInsyncReplicas: number;
}

/** Where a topic is not as it is declared; one that is missing has no partitions. */
export interface TopicDifference {
  readonly topic: string;
  readonly setting: Exclude<keyof TopicSpec, 'name'> | 'replicas';
  readonly declared: string | number;
  readonly actual: string | number;
}

/** What a consumer of a group does with records; resolving means 'my database has committed', and the offsets are committed then. */
export interface ConsumerSpec {
  /** `weir.<service>.<consumer>` */
  readonly group: string;
  readonly topics: readonly string[];
  /** Records of one partition, in order. Throwing is 'not done': transient errors are tried again, others park the key. */
  readonly handle: (batch: readonly BusRecord[]) => Promise<void>;
  /** Largest batch handed over; 1 = record by record. Default 500. */
  readonly maxBatch?: number;
  /** Tries of a record whose error is not transient before its key is parked. Default 3. */
  readonly maxTries?: number;
}

export interface Consumption {
  /** Stop taking, finish and commit what is in hand, leave the group. Within `graceMs`, also when the broker is gone. */
  stop(graceMs?: number): Promise<void>;
  pause(): void;
  resume(): void;
  /** Records waiting per topic-partition. */
  lag(): Promise<ReadonlyArray<{ topic: string; partition: number; lag: number }>>;
}

/**
 * Where records go that cannot be handled; a key once parked parks all that follows it until an operator releases it and the
 * released records have been handled. Only the reader of a partition parks and replays its records, so their order is kept.
 */
export interface ParkingLot {
  /** Those of `keys` with something parked, or released and not yet handled. */
  parkedAmong(group: string, topic: string, keys: readonly string[]): Promise<ReadonlySet<string>>;
  park(group: string, record: BusRecord, error: AppError | Error): Promise<void>;
  /** Partitions with released records; asked for about once a second for all groups of a process. */
  partitionsWithReleased(groups: readonly string[]): Promise<ReadonlyArray<{ group: string; topic: string; partition: number }>>;
  /** Released records of a partition, oldest first. */
  released(group: string, topic: string, partition: number): Promise<readonly ParkedRecord[]>;
}

export interface ParkedRecord {
  readonly record: BusRecord;
  done(): Promise<void>;
  /** Parks the whole key again. */
  failed(error: Error): Promise<void>;
}

/**
 * A reader of `.state` topics: no consumer group. Reads every partition from the beginning, then follows; `apply` sees each record
 * once per process, in order per key.
 */
export interface FollowSpec {
  readonly topics: readonly string[];
  readonly apply: (record: BusRecord) => void;
}

export interface Following {
  /** Resolves when every partition's end as of the call has been read. */
  caughtUp(): Promise<void>;
  /** ms since the reader last confirmed that it stands at every partition's end; Infinity before the first time. */
  ageMs(): number;
  stop(): Promise<void>;
}

export interface Bus {
  /** Resolves when all are stored durably (acks=all); rejects if any may not be. Order per key within and across calls is kept. */
  publish(records: readonly OutgoingRecord[]): Promise<void>;
  consume(spec: ConsumerSpec): Promise<Consumption>;
  follow(spec: FollowSpec): Promise<Following>;
  /** Creates what is missing; says where the others differ from their declaration, and changes nothing about that. */
  ensureTopics(topics: readonly TopicSpec[]): Promise<{ created: string[]; different: TopicDifference[] }>;
  /** Says what is missing or differs. */
  checkTopics(topics: readonly TopicSpec[]): Promise<TopicDifference[]>;
  /** Resolves when the bus answers; for /readyz. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

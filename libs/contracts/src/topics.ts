/**
 * Every topic, declared once: created or checked by `weir-migrate`, never by accident. Partition counts cannot shrink and must not
 * grow for keyed topics, so they are chosen with room.
 */
export interface TopicDeclaration {
  readonly name: string;
  readonly partitions: number;
  readonly cleanup: 'delete' | 'compact';
  /** ms; -1 keeps for ever. */
  readonly retentionMs: number;
  readonly minInsyncReplicas: number;
}

const DAY_MS = 86_400_000;

const THINGS = [
  'tenant',
  'api-token',
  'plan',
  'upstream-key',
  'limit-policy',
  'key-ceiling',
  'quota',
  'budget',
  'billing',
  'fetch-job',
  'audit',
  'subject',
] as const;

export type Thing = (typeof THINGS)[number];

export const eventsTopic = <T extends Thing>(thing: T) => `weir.${thing}.events` as const;
export const stateTopic = <T extends Thing>(thing: T) => `weir.${thing}.state` as const;

/** Primary records until metering has ingested them: the one thing that no log can re-emit. */
export const USAGE_TOPIC = 'weir.usage';
export const SIGNAL_TOPIC = 'weir.upstream-signal';
/** Per minute, tenant and key: what was asked of a shared key. */
export const DEMAND_TOPIC = 'weir.demand';
/** Heartbeats: no log has them, and each process says its own again within seconds. */
export const PRESENCE_TOPIC = 'weir.presence';
/** Answers that differ from what the catalog knows of them. */
export const DRIFT_TOPIC = 'weir.catalog-drift';

const log = (name: string, partitions: number, days: number): TopicDeclaration => ({
  name,
  partitions,
  cleanup: 'delete',
  retentionMs: days * DAY_MS,
  minInsyncReplicas: 2,
});

const compacted = (name: string): TopicDeclaration => ({
  name,
  partitions: 3,
  cleanup: 'compact',
  retentionMs: -1,
  minInsyncReplicas: 2,
});

export const TOPICS: readonly TopicDeclaration[] = [
  ...THINGS.flatMap((thing) => [log(eventsTopic(thing), 6, 7), compacted(stateTopic(thing))]),
  log(USAGE_TOPIC, 12, 30),
  log(SIGNAL_TOPIC, 3, 14),
  log(DEMAND_TOPIC, 3, 1),
  { ...compacted(PRESENCE_TOPIC), partitions: 1 },
  log(DRIFT_TOPIC, 1, 30),
];

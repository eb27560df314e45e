import type { Pool } from 'pg';
import { busUnavailable, unknownTopic } from '../errors';
import type { TopicDifference, TopicSpec } from '../port';

/** Partitions of each topic. @throws AppError `unknown-topic` */
export async function partitionCounts(pool: Pool, topics: readonly string[]): Promise<Map<string, number>> {
  const { rows } = await pool
    .query<{ name: string; partitions: number }>('select name, partitions from weir_bus.topics where name = any($1::text[])', [
      topics,
    ])
    .catch((error: unknown) => {
      throw busUnavailable(error);
    });
  const counts = new Map(rows.map((row) => [row.name, row.partitions]));
  const missing = topics.find((topic) => !counts.has(topic));
  if (missing !== undefined) throw unknownTopic(missing);
  return counts;
}

export async function ensureTopics(
  pool: Pool,
  topics: readonly TopicSpec[],
): Promise<{ created: string[]; different: TopicDifference[] }> {
  const { rows } = await pool.query<{ name: string }>(
    `with declared as (
       select * from unnest($1::text[], $2::int[], $3::text[], $4::bigint[]) d(name, partitions, cleanup, retention_ms)
     ), created as (
       insert into weir_bus.topics (name, partitions, cleanup, retention_ms) select * from declared on conflict do nothing returning name, partitions
     ), parts as (
       insert into weir_bus.partitions (topic, partition) select name, generate_series(0, partitions - 1) from created
     )
     select name from created`,
    [topics.map((t) => t.name), topics.map((t) => t.partitions), topics.map((t) => t.cleanup), topics.map((t) => t.retentionMs)],
  );
  return { created: rows.map(({ name }) => name), different: await checkTopics(pool, topics) };
}

export async function checkTopics(pool: Pool, topics: readonly TopicSpec[]): Promise<TopicDifference[]> {
  const { rows } = await pool.query<{ name: string; partitions: number; cleanup: string; retention_ms: string }>(
    'select name, partitions, cleanup, retention_ms from weir_bus.topics where name = any($1::text[])',
    [topics.map(({ name }) => name)],
  );
  const there = new Map(rows.map((row) => [row.name, row]));
  return topics.flatMap((spec) => {
    const actual = there.get(spec.name);
    if (actual === undefined) return [{ topic: spec.name, setting: 'partitions' as const, declared: spec.partitions, actual: 0 }];
    const compared: [TopicDifference['setting'], string | number, string | number][] = [
      ['partitions', spec.partitions, actual.partitions],
      ['cleanup', spec.cleanup, actual.cleanup],
      ['retentionMs', spec.retentionMs, Number(actual.retention_ms)],
    ];
    return compared
      .filter(([, declared, actual]) => declared !== actual)
      .map(([setting, declared, actual]) => ({ topic: spec.name, setting, declared, actual }));
  });
}

import type { Pool } from 'pg';
import { busUnavailable, unknownTopic } from '../errors';
import type { TopicSpec } from '../port';

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
): Promise<{ created: string[]; different: string[] }> {
  const { rows } = await pool.query<{ name: string; created: boolean; same: boolean }>(
    `with declared as (
       select * from unnest($1::text[], $2::int[], $3::text[], $4::bigint[]) d(name, partitions, cleanup, retention_ms)
     ), created as (
       insert into weir_bus.topics (name, partitions, cleanup, retention_ms) select * from declared on conflict do nothing returning name, partitions
     ), parts as (
       insert into weir_bus.partitions (topic, partition) select name, generate_series(0, partitions - 1) from created
     )
     select d.name, c.name is not null as created,
            c.name is not null or (t.partitions, t.cleanup, t.retention_ms) is not distinct from (d.partitions, d.cleanup, d.retention_ms) as same
     from declared d left join created c using (name) left join weir_bus.topics t using (name)`,
    [topics.map((t) => t.name), topics.map((t) => t.partitions), topics.map((t) => t.cleanup), topics.map((t) => t.retentionMs)],
  );
  return {
    created: rows.filter((row) => row.created).map((row) => row.name),
    different: rows.filter((row) => !row.same).map((row) => row.name),
  };
}

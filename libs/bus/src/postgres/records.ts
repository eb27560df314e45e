import type { Pool } from 'pg';
import type { BusRecord } from '../port';

interface Row {
  topic: string;
  partition: number;
  offset: string;
  key: string;
  value: Buffer | null;
  headers: Record<string, string>;
  at: Date;
}

const MOST_BYTES = 8_000_000;

/** Records from `from` on, `limit` at most, and 8 MB at most beyond the first. */
export async function readPartition(
  pool: Pool,
  topic: string,
  partition: number,
  from: number,
  limit: number,
): Promise<BusRecord[]> {
  const { rows } = await pool.query<Row>(
    `select topic, partition, "offset", key, value, headers, at from (
       select *, sum(coalesce(octet_length(value), 0)) over before as bytes_before
       from weir_bus.records where topic = $1 and partition = $2 and "offset" >= $3
       window before as (order by "offset" rows between unbounded preceding and 1 preceding)
       order by "offset" limit $4) r
     where bytes_before is null or bytes_before < $5 order by "offset"`,
    [topic, partition, from, limit, MOST_BYTES],
  );
  return rows.map(({ at, ...record }) => ({ ...record, timestamp: at.getTime() }));
}

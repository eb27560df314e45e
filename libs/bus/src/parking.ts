import type { Pool } from 'pg';
import { AppError } from '@weir/kernel';
import type { BusRecord, ParkingLot } from './port';

interface Row {
  id: string;
  topic: string;
  partition: number;
  offset: string;
  key: string;
  headers: Record<string, string>;
  value: Buffer | null;
  at: string;
}

/** Parked messages as rows of `weir.parked_messages`, so that an operator can see, release and drop them. */
export function postgresParkingLot({ pool, service }: { pool: Pool; service: string }): ParkingLot {
  return {
    async parkedAmong(group, topic, keys) {
      const { rows } = await pool.query<{ key: string }>(
        `select distinct key from weir.parked_messages
         where grp = $1 and topic = $2 and key = any($3::text[]) and state in ('parked', 'released')`,
        [group, topic, keys],
      );
      return new Set(rows.map((row) => row.key));
    },

    // What follows a key that is being released joins it. A row may be there: the record was delivered again after its parking was
    // over, or the topic was made anew and its offsets mean other records now.
    async park(group, record, error) {
      await pool.query(
        `insert into weir.parked_messages as p (service, grp, topic, partition, "offset", key, headers, value, at, reason, error_code, state)
         select $1, $2, $3, $4::int, $5, $6, $7::jsonb, $8::bytea, $9::bigint, $10, $11, case when bool_and(o.state = 'released') then 'released' else 'parked' end
         from weir.parked_messages o where o.grp = $2 and o.topic = $3 and o.key = $6 and o.state in ('parked', 'released')
         on conflict (grp, topic, partition, "offset") do update
           set key = excluded.key, headers = excluded.headers, value = excluded.value, at = excluded.at, reason = excluded.reason,
               error_code = excluded.error_code, state = excluded.state, parked_at = now()
           where p.state = 'done' or p.key <> excluded.key or p.at <> excluded.at`,
        [
          service,
          group,
          record.topic,
          record.partition,
          record.offset,
          record.key,
          JSON.stringify(record.headers),
          record.value,
          record.timestamp,
          error.message.slice(0, 1_000),
          error instanceof AppError ? error.code : null,
        ],
      );
    },

    async partitionsWithReleased(groups) {
      const { rows } = await pool.query<{ group: string; topic: string; partition: number }>(
        `select distinct grp as group, topic, partition from weir.parked_messages where state = 'released' and grp = any($1::text[])`,
        [groups],
      );
      return rows;
    },

    async released(group, topic, partition) {
      const { rows } = await pool.query<Row>(
        `select id, topic, partition, "offset", key, headers, value, at from weir.parked_messages
         where state = 'released' and grp = $1 and topic = $2 and partition = $3 order by "offset"::bigint limit 100`,
        [group, topic, partition],
      );
      return rows.map((row) => ({
        record: toBusRecord(row),
        done: async () => void (await pool.query(`update weir.parked_messages set state = 'done' where id = $1`, [row.id])),
        failed: async (error) =>
          void (await pool.query(
            `update weir.parked_messages set state = 'parked', reason = case id when $4 then $5 else reason end
             where grp = $1 and topic = $2 and key = $3 and state = 'released'`,
            [group, topic, row.key, row.id, error.message.slice(0, 1_000)],
          )),
      }));
    },
  };
}

const toBusRecord = ({ at, topic, partition, offset, key, value, headers }: Row): BusRecord => ({
  topic,
  partition,
  offset,
  key,
  value,
  headers,
  timestamp: Number(at),
});

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
  const setState = (id: string, state: string, reason?: string) =>
    pool.query('update weir.parked_messages set state = $2, reason = coalesce($3, reason) where id = $1', [id, state, reason ?? null]);

  return {
    async isParked(group, topic, key) {
      const { rows } = await pool.query(
        `select 1 from weir.parked_messages where grp = $1 and topic = $2 and key = $3 and state in ('parked', 'released') limit 1`,
        [group, topic, key],
      );
      return rows.length > 0;
    },

    async park(group, record, error) {
      await pool.query(
        `insert into weir.parked_messages (service, grp, topic, partition, "offset", key, headers, value, at, reason, error_code)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing`,
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

    async released(group) {
      const { rows } = await pool.query<Row>(
        `select id, topic, partition, "offset", key, headers, value, at from weir.parked_messages
         where grp = $1 and state = 'released' order by topic, partition, "offset"::bigint limit 100`,
        [group],
      );
      return rows.map((row) => ({
        id: row.id,
        record: toBusRecord(row),
        done: async () => void (await setState(row.id, 'done')),
        failed: async (error: Error) => void (await setState(row.id, 'parked', error.message.slice(0, 1_000))),
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

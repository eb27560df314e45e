import type { Pool } from 'pg';
import type { BusServers } from './rig';

/** What an operator sees and does, on the table itself. */
export const operatorOf = (pool: Pool): Pick<BusServers, 'release' | 'parked'> => ({
  async release(group) {
    await pool.query(`update weir.parked_messages set state = 'released' where grp = $1 and state = 'parked'`, [group]);
  },
  async parked(group) {
    const { rows } = await pool.query<{ key: string; value: string; state: string }>(
      `select key, convert_from(value, 'utf8') as value, state from weir.parked_messages where grp = $1 order by "offset"::bigint`,
      [group],
    );
    return rows;
  },
});

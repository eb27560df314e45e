import type { BusRecord } from '@weir/bus';
import { sleep } from '@weir/kernel';
import type { Pool } from 'pg';

/** What members of a group do with records: a row and a sum, in the transaction after which the bus commits, as consumers of ours do. */
export class Effects {
  /** By member: batches that it has in hand. */
  private readonly hands = new Map<string, number>();
  /** Records that came again after they had been done. */
  again = 0;

  private constructor(private readonly pool: Pool) {}

  static async open(pool: Pool): Promise<Effects> {
    await pool.query(`
      create table chaos_effects (n bigserial, key text, number int, primary key (key, number));
      create table chaos_sums (key text primary key, done int not null)`);
    return new Effects(pool);
  }

  inHand = (member: string): boolean => (this.hands.get(member) ?? 0) > 0;

  /** @param heldUpMs amid the transaction of a batch */
  by(member: string, heldUpMs: () => number): (batch: readonly BusRecord[]) => Promise<void> {
    return async (batch) => {
      this.hands.set(member, (this.hands.get(member) ?? 0) + 1);
      try {
        await this.done(batch, heldUpMs());
      } finally {
        this.hands.set(member, (this.hands.get(member) ?? 1) - 1);
      }
    };
  }

  private async done(batch: readonly BusRecord[], heldUpMs: number): Promise<void> {
    const client = await this.pool.connect();
    try {
      await client.query('begin');
      const { rows } = await client.query<{ key: string }>(
        `insert into chaos_effects (key, number) select key, number from unnest($1::text[], $2::int[]) with ordinality r(key, number, at) order by at
         on conflict do nothing returning key`,
        [batch.map(({ key }) => key), batch.map(({ value }) => Number(value))],
      );
      await client.query(
        `insert into chaos_sums as s (key, done) select key, count(*)::int from unnest($1::text[]) key group by key order by key
         on conflict (key) do update set done = s.done + excluded.done`,
        [rows.map(({ key }) => key)],
      );
      await sleep(heldUpMs);
      await client.query('commit');
      this.again += batch.length - rows.length;
    } catch (error) {
      await client.query('rollback');
      throw error;
    } finally {
      client.release();
    }
  }

  async count(): Promise<number> {
    return (await this.pool.query<{ n: number }>('select count(*)::int as n from chaos_effects')).rows[0]?.n ?? 0;
  }

  /** Held against what was acknowledged: how many of each key, which count on from 0. */
  async findings(acknowledged: ReadonlyMap<string, number>): Promise<{ skipped: string[]; twice: string[]; outOfOrder: string[] }> {
    const { rows: counts } = await this.pool.query<{ key: string; rows: number; done: number }>('select key, count(*)::int as rows, max(done) as done from chaos_effects join chaos_sums using (key) group by key');
    const rowsOf = new Map(counts.map(({ key, rows }) => [key, rows]));
    const { rows: late } = await this.pool.query<{ key: string; number: number }>(
      'select key, number from (select key, number, lag(number) over (partition by key order by n) as before from chaos_effects) o where number <> coalesce(before + 1, 0)',
    );
    return {
      skipped: [...acknowledged].filter(([key, count]) => (rowsOf.get(key) ?? 0) < count).map(([key, count]) => `${key}: ${rowsOf.get(key) ?? 0} of ${count}`),
      twice: counts.filter(({ rows, done }) => rows !== done).map(({ key, rows, done }) => `${key}: ${done} done of ${rows}`),
      outOfOrder: late.map(({ key, number }) => `${key}: ${number}`),
    };
  }
}

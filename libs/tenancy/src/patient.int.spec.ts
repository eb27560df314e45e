import { PLATFORM } from '@weir/kernel';
import { freshDatabase } from '@weir/testing';
import { patiently } from './patient';
import { createPool } from './pool';
import { unitOfWork } from './unit-of-work';

it('a statement of upkeep may take longer than a service’s may, on both sides of the connection, and what comes after it may not', async () => {
  const database = await freshDatabase();
  const pool = createPool({ url: database.urlOf('metering'), name: 'spec', max: 1, answerWithinMs: 1_500 });
  const work = unitOfWork(pool, 'metering');
  const sleeping = 'select pg_sleep(2)';
  await expect(work.inTenant(PLATFORM, (sql) => sql.query(sleeping))).rejects.toMatchObject({ category: 'unavailable' });
  await work.inTenant(PLATFORM, async (sql) => {
    await sql.query(`set local statement_timeout = '1ms'`);
    await expect((await patiently(sql, 60_000)).query('select pg_sleep(2), $1::int as seven', [7])).resolves.toMatchObject({ rows: [{ seven: 7 }] });
  });
  await work.inTenant(PLATFORM, async (sql) => expect((await sql.query(`show statement_timeout`)).rows).toEqual([{ statement_timeout: '30s' }]));
  await pool.end();
  await database.drop();
});

import { Pool } from 'pg';
import { postgresBus } from '../postgres/postgres-bus';

/** A member of a group in a process of its own, to be killed: url, group, topic. Tells its parent when it has committed 30 records. */
async function main([url = '', group = '', topic = '']: string[]): Promise<void> {
  const pool = new Pool({ connectionString: url, max: 4 });
  let handled = 0;
  const consumption = await postgresBus({ pool, directUrl: url }).consume({
    group,
    topics: [topic],
    handle: async (batch) => void (handled += batch.length),
  });
  for (;;) {
    const waiting = (await consumption.lag()).reduce((sum, { lag }) => sum + lag, 0);
    if (handled >= 30 && waiting === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  process.send?.(handled);
}

void main(process.argv.slice(2));

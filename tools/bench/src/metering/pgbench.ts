import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Side } from '../bench';
import { findPgbench } from '../event-store/pgbench';
import type { Database } from './database';

const run = promisify(execFile);

const TABLES = `
  create table if not exists plain_usage (id uuid primary key, request text not null, endpoint text not null, credits bigint not null);
  create table if not exists plain_sums (account int primary key, credits bigint not null);
  insert into plain_sums select n, 0 from generate_series(1, 5000) n on conflict do nothing`;

/** As little as counting can be: in one transaction a row with a key, and a sum by account. */
const SCRIPT = `\\set account random(1, 5000)
begin;
insert into plain_usage values (uuidv7(), 'req_01m87y55hke9cagv7nfm63j77w', 'userinfo-by-username', 1);
update plain_sums set credits = credits + 1 where account = :account;
commit;
`;

/** An operation is a transaction. */
export function plainTransactions(database: Database, directory: string, transactions: number, clients: number): Side {
  const script = join(directory, 'usage.sql');
  return {
    name: `pgbench, ${transactions} transactions, ${clients} clients`,
    async before() {
      writeFileSync(script, SCRIPT);
      await database.admin.query(TABLES);
      await database.admin.query('truncate plain_usage');
      await database.settle();
    },
    async run() {
      const args = ['-n', '-M', 'prepared', '-j', '1', '-c', String(clients), '-t', String(transactions / clients), '-f', script, database.clientUrl];
      const { stdout } = await run(findPgbench(), args, { env: { PATH: process.env['PATH'] } });
      const read = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1]);
      const operations = read(/transactions actually processed: (\d+)/);
      const seconds = operations / read(/^tps = ([\d.]+)/m);
      return { operations, seconds, figures: { 'ms a batch': seconds * 1_000 } };
    },
  };
}
